import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#std/fault";
import { tryLock } from "#std/sqlite";

const LOCK = "edgeadm.lock";
const PID = "edgeadm.pid";

/**
 * Holds a data directory for this process until it is disposed. The operating system ends it with the process, however
 * that ends; the number beside it is for people.
 * @throws {Fault} `ALREADY_RUNNING`
 */
export function lock(dataDir: string): Disposable {
  const held = tryLock(join(dataDir, LOCK));
  if (!held) throw alreadyRunning(dataDir);
  const pid = join(dataDir, PID);
  try {
    writeFileSync(pid, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // A disk that is full must not keep a node from its start.
  }
  return {
    [Symbol.dispose]() {
      rmSync(pid, { force: true });
      held[Symbol.dispose]();
    },
  };
}

/** Whether a process holds the data directory. */
export function isLocked(dataDir: string): boolean {
  const path = join(dataDir, LOCK);
  if (!existsSync(path)) return false;
  const free = tryLock(path);
  free?.[Symbol.dispose]();
  return free === undefined;
}

/** Says who holds a data directory, and how to end it. */
export function alreadyRunning(dataDir: string): Fault {
  const pid = pidIn(dataDir);
  const holder = pid === undefined ? "another process" : `process ${pid}`;
  const stop = `Stop that one${pid === undefined ? "" : ` (kill ${pid})`}`;
  return new Fault("ALREADY_RUNNING", `${dataDir} is in use by ${holder}`, {
    hint: `${stop}, or give this one a data directory and ports of its own.`,
  });
}

function pidIn(dataDir: string): number | undefined {
  try {
    return Number(readFileSync(join(dataDir, PID), "utf8")) || undefined;
  } catch {
    return undefined;
  }
}
