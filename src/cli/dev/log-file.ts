import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** A log that grew over this at the last start is set aside; one old one is kept. */
const LIMIT_BYTES = 10 * 1024 * 1024;

/** A file that takes lines. Written at once, so that the last words before a crash are there. */
export interface LogFile extends Disposable {
  write(line: string): void;
}

/** Opens a log file, readable by this user alone. */
export function openLogFile(path: string): LogFile {
  let file = openSync(path, "a", 0o600);
  if (fstatSync(file).size > LIMIT_BYTES) {
    closeSync(file);
    renameSync(path, `${path}.1`);
    file = openSync(path, "a", 0o600);
  }
  let isOpen = true;
  return {
    write(line) {
      if (isOpen) writeSync(file, line);
    },
    [Symbol.dispose]() {
      if (isOpen) closeSync(file);
      isOpen = false;
    },
  };
}
