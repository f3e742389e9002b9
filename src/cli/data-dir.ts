import { accessSync, chmodSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "#std/fault";

/** Creates a data directory that its user alone can read. @throws {Fault} `PERMISSION_MISSING` */
export function makeDataDir(path: string): void {
  try {
    if (!existsSync(path)) {
      makeFolders(path);
      // The umask may have taken from that, and never adds.
      chmodSync(path, 0o700);
    }
    checkAccess(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
}

/** Looks whether this user may read and write a data directory that is there. @throws {Fault} `PERMISSION_MISSING` */
export function checkDataDir(path: string): void {
  try {
    checkAccess(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function checkAccess(path: string): void {
  if (!statSync(path).isDirectory()) throw new Error("it is a file");
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

function unusable(path: string, cause: unknown): Fault {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Fault("PERMISSION_MISSING", `the data directory ${path} can not be used: ${why}`, { cause });
}

/** Not by `recursive: true`: where a parent says ENOENT for good, as /proc does, Node 24 tries again without end. */
function makeFolders(path: string): void {
  if (existsSync(path)) return;
  makeFolders(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}
