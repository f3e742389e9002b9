import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A program of `children/`, running. Disposing it kills it. */
export interface Child extends AsyncDisposable {
  /** What it said so far, oldest first. */
  readonly said: unknown[];
  /** Asks it something; the answer is `said`. */
  ask(question: string): void;
  /** Ends it as the kernel or a power cut would: nothing in it runs any more. */
  kill(): Promise<void>;
  /** Resolves when it has ended, by whatever. */
  readonly ended: Promise<unknown>;
}

/** As the launcher starts the product: see `bin/launch.mjs`. */
const execArgv = ["--conditions=source", "--max-semi-space-size=2", "--heap-growing-percent=50"];

/** @param env - beside this process's own environment. */
export function openChild(name: string, options: object, env: Readonly<Record<string, string>> = {}): Child {
  const path = fileURLToPath(new URL(`./children/${name}.ts`, import.meta.url));
  const child: ChildProcess = fork(path, [JSON.stringify(options)], {
    execArgv,
    env: { ...process.env, ...env },
  });
  const said: unknown[] = [];
  child.on("message", (message) => said.push(message));
  const ended = once(child, "exit");
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  // A child that is ending does not hear the question, and whoever waits for the answer sees that it ended.
  const ask = (question: string) => void (child.connected && child.send(question, () => {}));
  return { said, ask, kill, ended, [Symbol.asyncDispose]: kill };
}
