/**
 * Exchanges on paper: a recording has one exchange in each line, as JSON. Played back, a recording answers each request
 * as the device did, the second time as it did the second time, and from the beginning again when it is at its end.
 *
 *     {"at":1732190400000,"ms":12.5,"request":"010300000002","answer":"010304000a0014"}
 */
import { readFile } from "node:fs/promises";
import type { Exchange } from "#devices/driver";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";
import { reason } from "./channel.ts";
import type { Transport } from "./transport.ts";

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/, "bytes in lower-case hex");

const line = z.strictObject({
  at: z.number(),
  ms: z.number(),
  request: hex,
  answer: hex.optional(),
  error: z.string().optional(),
});

/** An exchange as a line of a recording, without the line's end. */
export function formatExchange({ at, ms, request, answer, error }: Exchange): string {
  return JSON.stringify({
    at,
    ms: Math.round(ms * 1000) / 1000,
    request: hexOf(request),
    ...(answer && { answer: hexOf(answer) }),
    ...(error !== undefined && { error }),
  });
}

/** Reads a recording. @throws {Fault} `CONFIG_INVALID` with the number of the line that is none. */
export function parseExchanges(text: string): readonly Exchange[] {
  const lines = text.split("\n").map((line, i) => [line.trim(), i + 1] as const);
  return lines.filter(([text]) => text !== "").map(([text, number]) => exchangeOf(text, `line ${number}`));
}

/** Opens a recording as a transport. @throws {Fault} `LINK_LOST` when the file is not there, `CONFIG_INVALID`. */
export async function openReplay(file: string, signal: AbortSignal): Promise<Transport> {
  signal.throwIfAborted();
  const text = await readFile(file, "utf8").catch((cause) => {
    throw new Fault("LINK_LOST", `${file} can not be read (${reason(cause)})`, { cause, file });
  });
  signal.throwIfAborted();
  return replay(parseExchanges(text));
}

/** A transport that answers as it was recorded. What was never asked then is never answered now. */
export function replay(exchanges: readonly Exchange[]): Transport {
  const answers = new Map<string, { readonly all: readonly Exchange[]; next: number }>();
  for (const [asked, all] of Map.groupBy(exchanges, ({ request }) => hexOf(request)))
    answers.set(asked, { all, next: 0 });
  let isClosed = false;
  return {
    async request(unit, pdu, signal) {
      signal.throwIfAborted();
      if (isClosed) throw new Fault("LINK_LOST", "the recording was closed here");
      const entry = answers.get(hexOf(Uint8Array.of(unit, ...pdu)));
      const { answer } = entry?.all[entry.next++ % entry.all.length] ?? {};
      if (answer) return answer.subarray(1);
      return await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
      );
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
    },
  };
}

function exchangeOf(text: string, where: string): Exchange {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Fault("CONFIG_INVALID", `${where} of the recording is no JSON`, { cause });
  }
  const { at, ms, request, answer, error } = parse(line, json, `${where} of the recording`);
  return {
    at,
    ms,
    request: bytesOf(request),
    answer: answer === undefined ? undefined : bytesOf(answer),
    ...(error !== undefined && { error }),
  };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "hex");
}
