import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** The simulated device of `examples/own-driver`. */
export interface CounterBox extends AsyncDisposable {
  readonly port: number;
  tick(): number;
  mute(silent: boolean): void;
}

/** Opens it on a free port of this machine. */
export async function openCounterBox(): Promise<CounterBox> {
  const { href } = pathToFileURL(resolve("examples/own-driver/device.js"));
  const { openBox } = (await import(href)) as { openBox: () => Promise<CounterBox> };
  return await openBox();
}
