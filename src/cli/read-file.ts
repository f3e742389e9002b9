import { readFileSync } from "node:fs";
import { Fault } from "#std/fault";

/** The text of a file that the user named. @throws {Fault} `CONFIG_INVALID` when it can not be read. */
export function readText(path: string): string {
  return readBytes(path).toString("utf8");
}

/** The bytes of a file that the user named. @throws {Fault} `CONFIG_INVALID` when it can not be read. */
export function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const why = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : String(code);
    throw new Fault("CONFIG_INVALID", `${path} can not be read: ${why}`, { cause, hint: "Correct the path." });
  }
}
