import { readFile } from "node:fs/promises";
import type { Exchange } from "#devices/driver";
import { parseExchanges } from "#devices/recording";
import { Fault } from "#std/fault";

/** Reads a file that `edgeadm device record` wrote. @throws {Fault} `LINK_LOST` when it can not be read, `CONFIG_INVALID`. */
export async function readRecording(file: string, signal: AbortSignal): Promise<readonly Exchange[]> {
  signal.throwIfAborted();
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new Fault("LINK_LOST", `${file} can not be read (${cause.code})`, { cause, file });
  });
  signal.throwIfAborted();
  return parseExchanges(text);
}
