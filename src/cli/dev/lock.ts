import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#std/fault";

const FILE = "dev.lock";

/** The process that holds a data directory; undefined when none does. A process that was killed does not. */
export function holderOf(dataDir: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(join(dataDir, FILE), "utf8");
  } catch {
    return undefined;
  }
  const [pid = "", birth = ""] = text.trim().split(" ");
  // A number is given to another process some day; its birth tells the two apart.
  return isAlive(Number(pid)) && birth === birthOf(Number(pid)) ? Number(pid) : undefined;
}

/** Holds a data directory for this process until it is disposed. @throws {Fault} `ALREADY_RUNNING` */
export function lock(dataDir: string): Disposable {
  const path = join(dataDir, FILE);
  const holder = holderOf(dataDir);
  if (holder !== undefined)
    throw new Fault("ALREADY_RUNNING", `${dataDir} is in use by process ${holder}`, {
      hint: `Stop that one (kill ${holder}), or give this one another --data-dir and other ports.`,
    });
  rmSync(path, { force: true });
  let file: number;
  try {
    file = openSync(path, "wx", 0o600);
  } catch (cause) {
    // Two that start in the same millisecond: the file system decides.
    throw new Fault("ALREADY_RUNNING", `${dataDir} was taken by another process just now`, { cause });
  }
  writeSync(file, `${process.pid} ${birthOf(process.pid)}\n`);
  closeSync(file);
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** When a process began, as the system counts it; empty where it does not tell. **Source:** Linux, proc_pid_stat(5), field 22. */
function birthOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program may contain spaces and brackets; fields are counted from behind it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
