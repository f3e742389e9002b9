/** What clients say, read from packets that the guard let pass: their shape is right, to the last byte. */
import { Fields, type Packet } from "./fields.ts";
import type { Qos } from "./session.ts";

export interface Connect {
  /** Empty when the broker is to choose one. */
  readonly client: string;
  readonly clean: boolean;
  /** Seconds; 0 is any. */
  readonly keepAlive: number;
  readonly will: Will | undefined;
  readonly user: string | undefined;
  readonly password: Buffer | undefined;
}

export interface Will {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
}

/** **Source:** MQTT 3.1.1, section 3.1. */
export function decodeConnect(packet: Packet): Connect {
  const fields = new Fields(packet);
  fields.bytes();
  fields.byte();
  const flags = fields.byte();
  const keepAlive = fields.number();
  const has = (bit: number) => (flags & (1 << bit)) !== 0;
  const client = textOf(fields);
  const will = has(2)
    ? { topic: textOf(fields), payload: copyOf(fields), qos: ((flags >> 3) & 3) as Qos, retain: has(5) }
    : undefined;
  const user = has(7) ? textOf(fields) : undefined;
  const password = has(6) ? copyOf(fields) : undefined;
  return { client, clean: has(1), keepAlive, will, user, password };
}

export interface Publish {
  readonly topic: string;
  /** A part of what was read, not a copy. */
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  /** 0 at QoS 0. */
  readonly id: number;
}

/** **Source:** MQTT 3.1.1, section 3.3. On the way of every message. */
export function decodePublish({ bytes, first, from, to }: Packet): Publish {
  const qos = ((first >> 1) & 3) as Qos;
  const end = from + 2 + bytes.readUInt16BE(from);
  const topic = bytes.toString("utf8", from + 2, end);
  const id = qos > 0 ? bytes.readUInt16BE(end) : 0;
  return { topic, payload: bytes.subarray(qos > 0 ? end + 2 : end, to), qos, retain: (first & 1) === 1, id };
}

/** The packet identifier at the beginning of all but CONNECT and PUBLISH. */
export function idOf({ bytes, from }: Packet): number {
  return bytes.readUInt16BE(from);
}

/** **Source:** MQTT 3.1.1, section 3.8. */
export function decodeSubscribe(packet: Packet): readonly (readonly [filter: string, qos: Qos])[] {
  const fields = new Fields(packet);
  fields.number();
  const filters: [string, Qos][] = [];
  while (!fields.isAtEnd) filters.push([textOf(fields), fields.byte() as Qos]);
  return filters;
}

/** **Source:** MQTT 3.1.1, section 3.10. */
export function decodeUnsubscribe(packet: Packet): readonly string[] {
  const fields = new Fields(packet);
  fields.number();
  const filters: string[] = [];
  while (!fields.isAtEnd) filters.push(textOf(fields));
  return filters;
}

function textOf(fields: Fields): string {
  return fields.bytes()?.toString() ?? "";
}

/** What is kept must not keep all that was read with it. */
function copyOf(fields: Fields): Buffer {
  return Buffer.from(fields.bytes() ?? "");
}
