import { isUtf8 } from "node:buffer";
import { Fields, type Packet } from "./fields.ts";
import { isFilter } from "./filter.ts";
import { encodeRefusal, encodeRefusal5 } from "./packets.ts";

/** Why a connection ends, and what is said before. */
export interface Violation {
  /** Short and constant, because it becomes a label of `edge_mqtt_refused_total`. */
  readonly reason: string;
  readonly answer?: Uint8Array;
}

type Check = (packet: Packet) => Violation | undefined;

const no = (reason: string): Violation => ({ reason });

/** Flags that each type must carry. **Source:** MQTT 3.1.1, table 2.2 [MQTT-2.2.2-1], [MQTT-2.2.2-2]. */
const checks: Readonly<Record<number, { readonly flags: number | undefined; readonly check: Check }>> = {
  1: { flags: 0, check: connect },
  3: { flags: undefined, check: publish },
  4: { flags: 0, check: acknowledgement },
  5: { flags: 0, check: acknowledgement },
  6: { flags: 2, check: acknowledgement },
  7: { flags: 0, check: acknowledgement },
  8: { flags: 2, check: (packet) => filters(packet, true) },
  10: { flags: 2, check: (packet) => filters(packet, false) },
  12: { flags: 0, check: empty },
  14: { flags: 0, check: empty },
};

/**
 * What MQTT 3.1.1 forbids a client to send in one packet; undefined when nothing. It checks all that the broker behind
 * it would otherwise have to survive: a packet that passes has the shape its type promises, to the last byte.
 */
export function check(packet: Packet): Violation | undefined {
  const known = checks[packet.first >> 4];
  if (!known) return no("packet type");
  if (known.flags !== undefined && (packet.first & 15) !== known.flags) return no("reserved flags");
  return known.check(packet);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what an identity must not contain
const UNSAFE_NAME = /[+#/\u0000-\u001f\u007f-\u009f]/;

/** **Source:** MQTT 3.1.1, section 3.1. */
function connect(packet: Packet): Violation | undefined {
  const fields = new Fields(packet);
  const protocol = fields.text();
  const level = fields.byte();
  if (protocol === "MQTT" && level === 5) return { reason: "protocol version", answer: encodeRefusal5() };
  if ((protocol === "MQTT" && level !== 4 && level >= 0) || protocol === "MQIsdp")
    return { reason: "protocol version", answer: encodeRefusal(1) };
  if (protocol !== "MQTT") return no("protocol name");
  const flags = fields.byte();
  const keepAlive = fields.number();
  if (flags < 0 || keepAlive < 0) return no("length");
  const has = (bit: number) => (flags & (1 << bit)) !== 0;
  const willQos = (flags >> 3) & 3;
  if (has(0)) return no("reserved flags");
  if (has(2) ? willQos === 3 : willQos !== 0 || has(5)) return no("will flags");
  if (has(6) && !has(7)) return no("password without user");
  const client = fields.text();
  if (client === undefined) return no("client id");
  if (has(2)) {
    const topic = fields.text();
    if (topic === undefined || topic === "" || /[+#]/.test(topic)) return no("will topic");
    if (!fields.bytes()) return no("length");
  }
  const user = has(7) ? fields.text() : "";
  if (user === undefined) return no("user name");
  if (has(6) && !fields.bytes()) return no("length");
  if (!fields.isAtEnd) return no("length");
  // An empty id with clean=0 is answered [MQTT-3.1.3-8]; ids and names that could become a filter are refused likewise.
  if (client === "" ? !has(1) : UNSAFE_NAME.test(client)) return { reason: "client id", answer: encodeRefusal(2) };
  if (UNSAFE_NAME.test(user)) return { reason: "user name", answer: encodeRefusal(4) };
  return undefined;
}

/** **Source:** MQTT 3.1.1, section 3.3. */
function publish(packet: Packet): Violation | undefined {
  const qos = (packet.first >> 1) & 3;
  if (qos === 3) return no("qos");
  if (qos === 0 && packet.first & 8) return no("dup");
  const fields = new Fields(packet);
  const topic = fields.bytes();
  if (!topic || topic.length === 0 || !isPlainTopic(topic)) return no("topic");
  if (qos === 0) return undefined;
  const id = fields.number();
  return id > 0 ? undefined : no(id === 0 ? "packet id" : "length");
}

/** On the way of every message: one pass over the bytes, and the costly check only where something is not ASCII. */
function isPlainTopic(bytes: Buffer): boolean {
  let isAscii = true;
  for (const byte of bytes) {
    if (byte === 0 || byte === 0x23 || byte === 0x2b) return false;
    if (byte > 127) isAscii = false;
  }
  return isAscii || isUtf8(bytes);
}

function acknowledgement(packet: Packet): Violation | undefined {
  if (packet.to - packet.from !== 2) return no("length");
  return packet.bytes.readUInt16BE(packet.from) === 0 ? no("packet id") : undefined;
}

/** **Source:** MQTT 3.1.1, sections 3.8 and 3.10. */
function filters(packet: Packet, withQos: boolean): Violation | undefined {
  const fields = new Fields(packet);
  const id = fields.number();
  if (id <= 0) return no(id === 0 ? "packet id" : "length");
  if (fields.isAtEnd) return no("no filter");
  while (!fields.isAtEnd) {
    const filter = fields.text();
    if (filter === undefined || !isFilter(filter)) return no("filter");
    if (!withQos) continue;
    const qos = fields.byte();
    if (qos < 0 || qos > 2) return no("qos");
  }
  return undefined;
}

function empty({ from, to }: Packet): Violation | undefined {
  return from === to ? undefined : no("length");
}
