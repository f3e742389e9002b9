import { Fault } from "#std/fault";
import { parse, type Schema } from "#std/schema";

/** Names in a pattern: `Name<"devices/{device}/reported/{property}">` is `"device" | "property"`. */
type Name<P extends string> = P extends `${string}{${infer N}}${infer Rest}` ? N | Name<Rest> : never;

/** The values for the names in a pattern. */
export type Params<P extends string> = { readonly [K in Name<P>]: string };

/** One kind of message on the site's broker: where it is published, what it carries, what the broker promises. */
export interface Topic<P extends string = string, T = unknown> {
  readonly pattern: P;
  /** What it says, in one sentence: `docs/topics.md` is printed from it. */
  readonly summary: string;
  readonly body: Schema<T>;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** Matches every instance: each name becomes `+`. **Source:** MQTT 3.1.1, section 4.7.1. */
  readonly filter: string;
  /** The topic for these values. @throws {Fault} `TOPIC_INVALID` when a value would change its shape. */
  at(params: Params<P>): string;
  /** The values in a topic; undefined when it is of another kind. */
  match(topic: string): Params<P> | undefined;
  encode(body: T): string;
  /** @throws {Fault} `MESSAGE_INVALID` when the payload is no JSON or not of the body's shape. */
  decode(payload: Uint8Array): T;
}

interface Definition<P extends string, T> {
  readonly pattern: P;
  readonly summary: string;
  readonly body: Schema<T>;
  /** What its publisher should use. The node itself speaks at 0: what matters is retained, or answered. @default 0 */
  readonly qos?: 0 | 1;
  /** @default false */
  readonly retain?: boolean;
}

/** Declares a topic. All are declared in `topics.ts`; a topic string appears nowhere else. */
export function topic<const P extends string, T>(definition: Definition<P, T>): Topic<P, T> {
  const { pattern, summary, body, qos = 0, retain = false } = definition;
  const levels = pattern.split("/").map((text) => ({ text, name: nameIn(text) as Name<P> | undefined }));
  return {
    pattern,
    summary,
    body,
    qos,
    retain,
    filter: levels.map(({ text, name }) => (name ? "+" : text)).join("/"),
    at: (params) => levels.map(({ text, name }) => (name ? level(params[name], pattern) : text)).join("/"),
    match(topic) {
      const parts = topic.split("/");
      if (parts.length !== levels.length) return undefined;
      const params: { [K in string]: string } = {};
      for (const [i, { text, name }] of levels.entries()) {
        const part = parts[i] ?? "";
        if (name) params[name] = part;
        else if (part !== text) return undefined;
      }
      return params as Params<P>;
    },
    encode: (value) => JSON.stringify(value),
    decode: (payload) => parse(body, json(payload, pattern), `a message on ${pattern}`, "MESSAGE_INVALID"),
  };
}

function nameIn(level: string): string | undefined {
  return /^\{(\w+)\}$/.exec(level)?.[1];
}

function level(value: string, pattern: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: MQTT forbids U+0000 in topics (3.1.1, section 4.7.3)
  if (value === "" || /[/+#\u0000]/.test(value))
    throw new Fault("TOPIC_INVALID", `"${value}" can not be part of ${pattern}`);
  return value;
}

function json(payload: Uint8Array, pattern: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString());
  } catch (cause) {
    throw new Fault("MESSAGE_INVALID", `a message on ${pattern} is not JSON`, { cause });
  }
}
