/**
 * Exchanges on paper: a recording has one exchange in each line, as JSON, with bytes in hex. `edgeadm device record`
 * writes it, and the drivers whose links take a `file` play it back.
 *
 *     {"at":1732190400000,"ms":12.5,"request":"010300000002","answer":"010304000a0014"}
 */
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";
import type { Content, Exchange } from "./driver.ts";
import { value } from "./value.ts";

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/, "bytes in lower-case hex");
const content = z.union([hex, z.record(z.string(), value)]);

/** An exchange as a recording has it. */
export const recorded = z.strictObject({
  at: z.number(),
  ms: z.number(),
  request: content.optional(),
  answer: content.optional(),
  error: z.string().optional(),
});

/** An exchange as a line of a recording, without the line's end. */
export function formatExchange({ at, ms, request, answer, error }: Exchange): string {
  return JSON.stringify({
    at,
    ms: Math.round(ms * 1000) / 1000,
    ...(request && { request: written(request) }),
    ...(answer && { answer: written(answer) }),
    ...(error !== undefined && { error }),
  });
}

/** Reads a recording. @throws {Fault} `CONFIG_INVALID` with the number of the line that is none. */
export function parseExchanges(text: string): readonly Exchange[] {
  const lines = text.split("\n").map((line, i) => [line.trim(), i + 1] as const);
  return lines.filter(([text]) => text !== "").map(([text, number]) => exchangeOf(text, `line ${number}`));
}

/** Bytes as a recording has them. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

function exchangeOf(text: string, where: string): Exchange {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Fault("CONFIG_INVALID", `${where} of the recording is no JSON`, { cause });
  }
  const { request, answer, error, ...rest } = parse(recorded, json, `${where} of the recording`);
  return { ...rest, request: read(request), answer: read(answer), ...(error === undefined ? {} : { error }) };
}

function written(content: Content): z.input<typeof hex> | Content {
  return content instanceof Uint8Array ? hexOf(content) : content;
}

function read(content: z.output<typeof recorded>["request"]): Content | undefined {
  return typeof content === "string" ? Buffer.from(content, "hex") : content;
}
