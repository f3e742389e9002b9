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
}

export function openChild(name: string, options: object): Child {
  const path = fileURLToPath(new URL(`./children/${name}.ts`, import.meta.url));
  const child: ChildProcess = fork(path, [JSON.stringify(options)], { execArgv: ["--conditions=source"] });
  const said: unknown[] = [];
  child.on("message", (message) => said.push(message));
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  return { said, ask: (question) => child.send(question), kill, [Symbol.asyncDispose]: kill };
}
