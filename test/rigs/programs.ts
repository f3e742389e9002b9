/** Servers of others that a machine may have. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Path of a program; undefined where it is not installed. @param beside - folders to look in after those of PATH. */
export function findProgram(name: string, beside: readonly string[] = []): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin", ...beside];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** Folders of Debian's PostgreSQL, which it keeps from the PATH, the newest first. */
export function postgresFolders(): readonly string[] {
  try {
    const versions = readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => `/usr/lib/postgresql/${version}/bin`);
  } catch {
    return [];
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Some servers refuse root, whatever they are for; then another user runs them. */
export function lesserUser(): { readonly uid: number; readonly gid: number } | Record<string, never> {
  return process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
}

/** Makes a file, or a folder with its files, that user's. */
export function giveAway(path: string): void {
  const { uid, gid } = lesserUser();
  if (uid === undefined || gid === undefined) return;
  chownSync(path, uid, gid);
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) chownSync(join(path, name), uid, gid);
}

/** A folder of that user, gone with what is disposed. */
export function lesserFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "skerry-"));
  giveAway(path);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs a program to its end. @throws what it said when it fails. */
export async function runProgram(program: string, args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(program, [...args], { cwd, stdio: ["ignore", "pipe", "pipe"], ...lesserUser() });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${said}`);
}

/** A server that a test starts and ends as it likes; it keeps its folder and its port. */
export interface Server extends AsyncDisposable {
  readonly port: number;
  /** Starts it and waits until it serves. */
  start(): Promise<void>;
  /** @param signal - `SIGKILL` as the kernel or a power cut would. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

export interface ServerOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly port: number;
  readonly serves: () => Promise<boolean>;
}

/** A server that is started. */
export async function openServer({ program, args, cwd, port, serves }: ServerOptions): Promise<Server> {
  let child: ReturnType<typeof spawn> | undefined;
  async function stop(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null) return;
    const ended = once(ending, "close");
    ending.kill(signal);
    await ended;
  }
  async function start(): Promise<void> {
    const started = spawn(program, [...args], { cwd, stdio: ["ignore", "ignore", "pipe"], ...lesserUser() });
    child = started;
    let said = "";
    started.stderr.on("data", (chunk) => {
      said = `${said}${chunk}`.slice(-4_000);
    });
    while (!(await serves())) {
      if (started.exitCode !== null) throw new Error(`${program} ended: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  await start();
  return { port, start, stop, [Symbol.asyncDispose]: () => stop("SIGKILL") };
}
