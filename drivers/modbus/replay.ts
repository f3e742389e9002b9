/**
 * Played back, a recording answers each request as the device did, the second time as it did the second time, and from
 * the beginning again when it is at its end.
 */
import type { Exchange } from "#devices/driver";
import { hexOf, parseExchanges } from "#devices/recording";
import { Fault } from "#std/fault";
import { readTextFile } from "#std/text-file";
import type { Transport } from "./transport.ts";

/** Opens a recording as a transport. @throws {Fault} `LINK_LOST` when the file is not there, `CONFIG_INVALID`. */
export async function openReplay(file: string, signal: AbortSignal): Promise<Transport> {
  return replay(parseExchanges(await readTextFile(file, signal)));
}

/** A transport that answers as it was recorded. What was never asked then is never answered now. */
export function replay(exchanges: readonly Exchange[]): Transport {
  const answers = new Map<string, { readonly all: readonly Exchange[]; next: number }>();
  for (const [asked, all] of Map.groupBy(exchanges, ({ request }) => (isBytes(request) ? hexOf(request) : "")))
    answers.set(asked, { all, next: 0 });
  let isClosed = false;
  return {
    async request(unit, pdu, signal) {
      signal.throwIfAborted();
      if (isClosed) throw new Fault("LINK_LOST", "the recording was closed here");
      const entry = answers.get(hexOf(Uint8Array.of(unit, ...pdu)));
      const { answer } = entry?.all[entry.next++ % entry.all.length] ?? {};
      if (isBytes(answer)) return answer.subarray(1);
      return await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
      );
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
    },
  };
}

function isBytes(content: Exchange["request"]): content is Uint8Array {
  return content instanceof Uint8Array;
}
