import { readFileSync } from "node:fs";
import { Fault } from "#std/fault";

/** The text of a file that the user named. @throws {Fault} `CONFIG_INVALID` when it can not be read, or is no UTF-8. */
export function readText(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readBytes(path));
  } catch (cause) {
    if (Fault.is(cause)) throw cause;
    throw new Fault("CONFIG_INVALID", `${path} is not text in UTF-8`, {
      cause,
      hint: "Save it as UTF-8; spreadsheets call that CSV UTF-8.",
    });
  }
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
