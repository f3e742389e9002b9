import { writeFileSync } from "node:fs";
import { Fault } from "#std/fault";

/** Writes a file that the user named. @throws {Fault} `PERMISSION_MISSING` when it can not be written. */
export function writeNamed(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (cause) {
    unwritable(path)(cause);
  }
}

/** Turns what the system says into a fault. @throws {Fault} `PERMISSION_MISSING`, always. */
export function unwritable(path: string): (cause: unknown) => never {
  return (cause) => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const known: Readonly<Record<string, string>> = {
      ENOENT: "there is no such folder",
      EISDIR: "it is a folder",
      ENOSPC: "the disk is full",
    };
    throw new Fault("PERMISSION_MISSING", `${path} can not be written: ${known[code] ?? code}`, { cause });
  };
}
