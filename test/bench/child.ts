import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A process of its own, so that CPU and memory are those of one part alone. */
export interface Child<Ready> extends AsyncDisposable {
  readonly ready: Ready;
  readonly process: ChildProcess;
  /** CPU time since its start, in µs, and resident memory, in bytes. */
  usage<More = object>(): Promise<Usage & More>;
}

export interface Usage {
  readonly cpuUs: number;
  readonly rssBytes: number;
}

/** As the launcher starts the product: see `bin/launch.mjs`. */
const execArgv = ["--conditions=source", "--max-semi-space-size=2", "--heap-growing-percent=50"];
const environment = { NODE_COMPILE_CACHE: fileURLToPath(new URL("../../node_modules/.cache/skerry", import.meta.url)) };

/** Starts `children/<name>.ts`; it sends one message when it is ready and answers `usage`. */
export async function openChild<Ready>(name: string, options: object): Promise<Child<Ready>> {
  const path = fileURLToPath(new URL(`./children/${name}.ts`, import.meta.url));
  const child = fork(path, [JSON.stringify(options)], {
    execArgv,
    env: { ...process.env, ...environment },
    stdio: "inherit",
  });
  const [ready] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`${name} ended with ${code}`))),
  ])) as [Ready];
  return {
    ready,
    process: child,
    async usage<More>() {
      child.send("usage");
      const [usage] = (await once(child, "message")) as [Usage & More];
      return usage;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.disconnect();
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** The child's side: its options, then `ready` once, then answers until the parent lets go. */
export function serveParent(ready: object, end: () => Promise<void>, more: () => object = () => ({})): void {
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss(), ...more() } satisfies Usage);
  });
  process.on("disconnect", () => {
    end().finally(() => process.exit(0));
  });
  process.send?.(ready);
}

export function childOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? "{}") as T;
}

/** Microseconds of the machine's clock, modulo 2^32: two processes can compare it for an hour. */
export function clockUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000) % 2 ** 32;
}
