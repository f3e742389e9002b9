import { printYaml } from "#std/yaml";
import type { Format } from "../output.ts";
import { openScreen } from "../screen.ts";
import { print, type World } from "../world.ts";
import { deviceLines, listLines, showValue } from "./lines.ts";
import type { DeviceView } from "./view.ts";

/** Shows devices again and again. */
export interface Teller extends Disposable {
  tell(devices: readonly DeviceView[]): void;
}

/** A table that is redrawn in place at a terminal; otherwise a line or document for each change. */
export function openTeller(format: Format, { alone }: { readonly alone: boolean }, world: World): Teller {
  if (format === "table" && world.out.isTty) {
    const screen = openScreen(world);
    return {
      tell(devices) {
        const now = world.clock.now();
        screen.draw(alone && devices[0] ? deviceLines(devices[0], now) : listLines(devices, now));
      },
      [Symbol.dispose]: () => screen[Symbol.dispose](),
    };
  }
  let before = new Map<string, DeviceView>();
  return {
    tell(devices) {
      const changed = devices.filter((it) => JSON.stringify(it) !== JSON.stringify(before.get(keyOf(it))));
      for (const it of changed) {
        if (format === "json") print(world, JSON.stringify(it));
        else if (format === "yaml") world.out.write(`---\n${printYaml(it)}`);
        else for (const line of changeLines(before.get(keyOf(it)), it)) print(world, line);
      }
      before = new Map(devices.map((it) => [keyOf(it), it]));
    },
    [Symbol.dispose]() {},
  };
}

/** What is new about a device, each fact in a line. */
function changeLines(before: DeviceView | undefined, now: DeviceView): readonly string[] {
  const lines: string[] = [];
  if (before?.online !== now.online || before.reason !== now.reason)
    lines.push(`${now.name} ${now.online ? "online" : "offline"} ${now.reason}`);
  for (const property of now.properties) {
    const { name, value, unit = "", quality = "", desired, state, refusal = "" } = property;
    const old = before?.properties.find((it) => it.name === name);
    if (JSON.stringify([old?.value, old?.quality]) !== JSON.stringify([value, property.quality]))
      lines.push(`${now.name} ${name}=${showValue(value)}${unit === "" ? "" : ` ${unit}`} ${quality}`.trimEnd());
    if (state !== undefined && JSON.stringify([old?.desired, old?.state]) !== JSON.stringify([desired, state]))
      lines.push(`${now.name} ${name} desired=${showValue(desired)} ${state} ${refusal}`.trimEnd());
  }
  return lines;
}

function keyOf({ namespace = "", name }: DeviceView): string {
  return `${namespace}/${name}`;
}
