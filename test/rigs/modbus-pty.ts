import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Two serial ports that are joined by a cable, as `socat` makes them on Linux. */
export interface PtyPair extends AsyncDisposable {
  readonly here: string;
  readonly there: string;
}

/** Why there can be no pair on this machine; undefined when there can. */
export function ptyObstacle(): string | undefined {
  if (process.platform !== "linux") return "pseudo-terminals are joined by socat on Linux alone";
  return whereIs("socat") ? undefined : "socat is not installed (apt-get install socat)";
}

/** Where a program lies, in the folders of the PATH. */
export function whereIs(program: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
}

export async function openPtyPair(): Promise<PtyPair> {
  const folder = mkdtempSync(join(tmpdir(), "skerry-pty-"));
  const [here, there] = [join(folder, "here"), join(folder, "there")];
  const socat = spawn("socat", ["-d", "-d", ...[here, there].map((link) => `pty,raw,echo=0,link=${link}`)]);
  await said(socat, /starting data transfer loop/);
  return {
    here,
    there,
    async [Symbol.asyncDispose]() {
      if (socat.exitCode === null && socat.signalCode === null) {
        socat.kill();
        await once(socat, "exit");
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until a program has said something on either of its outputs. Rejects when it ends before. */
export async function said(program: ChildProcess, what: RegExp): Promise<void> {
  let text = "";
  await new Promise<void>((resolve, reject) => {
    for (const stream of [program.stdout, program.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        text += chunk;
        if (what.test(text)) resolve();
      });
    }
    program.once("error", reject);
    program.once("exit", () => reject(new Error(`${program.spawnfile} ended: ${text}`)));
  });
}
