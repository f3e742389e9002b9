import { createHash } from "node:crypto";
import { value } from "#devices/value";
import { parse, z } from "#std/schema";

/**
 * Telemetry without the names of its properties: they are the same at every visit, so they travel and are stored once,
 * as a layout. What is left is some five bytes a value, and half of that when frames are compressed.
 */
export const layout = z.object({
  /** Made from the names, so that equal layouts of any device and node are one. */
  id: z.string().max(32),
  names: z.array(z.string()).max(10_000),
});
export type Layout = z.infer<typeof layout>;

/** One telemetry message as the topic carries it. */
export interface Telemetry {
  readonly at: number;
  readonly seq: number;
  readonly values: Readonly<Record<string, z.infer<typeof value>>>;
  readonly bad?: Readonly<Record<string, string>>;
}

const packed = z.tuple([
  z.number().int(),
  z.array(value),
  /** Why single values are not good, by their place. */
  z.record(z.string(), z.string()).optional(),
]);

/** The layout of these properties. */
export function layoutOf(names: readonly string[]): Layout {
  const id = createHash("sha256").update(JSON.stringify(names)).digest("base64url").slice(0, 12);
  return { id, names: [...names] };
}

/**
 * A packed message as text.
 * @param values - JSON texts in the layout's order, separated by commas; `null` where there is none.
 * @param bad - JSON text of an object, or empty.
 */
export function packText(seq: number, values: string, bad: string): string {
  return bad === "" ? `[${seq},[${values}]]` : `[${seq},[${values}],${bad}]`;
}

/** The message that was packed. A value that is missing has no name in it. @throws {Fault} `MESSAGE_INVALID` */
export function unpack({ names }: Layout, at: number, body: string): Telemetry {
  const [seq, list, reasons = {}] = parse(packed, JSON.parse(body), "a packed message", "MESSAGE_INVALID");
  const values = Object.fromEntries(
    list.flatMap((item, i) => (item === null && reasons[i] !== undefined ? [] : [[names[i] ?? `${i}`, item]])),
  );
  const bad = Object.fromEntries(Object.entries(reasons).map(([i, reason]) => [names[Number(i)] ?? i, reason]));
  return Object.keys(bad).length > 0 ? { at, seq, values, bad } : { at, seq, values };
}
