import { readFile } from "node:fs/promises";
import { Fault } from "./fault.ts";

/** Reads the file that a link leads to, as text. @throws {Fault} `LINK_LOST` when it can not be read. */
export async function readTextFile(file: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  try {
    return await readFile(file, { encoding: "utf8", signal });
  } catch (cause) {
    signal.throwIfAborted();
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new Fault("LINK_LOST", `${file} can not be read (${why})`, { cause, file });
  }
}
