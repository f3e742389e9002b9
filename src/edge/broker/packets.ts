/** The few packets that the broker writes itself. **Source:** MQTT 3.1.1, sections 2.2, 3.2, 3.3, 3.6. */

const SIZE_STEPS = [128, 16_384, 2_097_152] as const;

export interface PublishFields {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly dup: boolean;
  /** Packet identifier, 1 to 65535; not used at QoS 0. */
  readonly id: number;
}

/** A whole PUBLISH packet. */
export function encodePublish({ topic, payload, qos, retain, dup, id }: PublishFields): Buffer {
  const topicBytes = Buffer.byteLength(topic);
  const remaining = 2 + topicBytes + (qos > 0 ? 2 : 0) + payload.length;
  const sizeBytes = 1 + SIZE_STEPS.filter((step) => remaining >= step).length;
  const packet = Buffer.allocUnsafe(1 + sizeBytes + remaining);
  packet[0] = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  let at = 1;
  for (let rest = remaining, more = true; more; ) {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    more = rest > 0;
    packet[at++] = digit | (more ? 128 : 0);
  }
  at = packet.writeUInt16BE(topicBytes, at);
  at += packet.write(topic, at);
  if (qos > 0) at = packet.writeUInt16BE(id, at);
  packet.set(payload, at);
  return packet;
}

/** @param codes - one for each filter of the SUBSCRIBE, in its order: the QoS, or 128 [MQTT-3.8.4-5]. */
export function encodeSuback(id: number, codes: readonly number[]): Buffer {
  const remaining = 2 + codes.length;
  const size: number[] = [];
  for (let rest = remaining; ; rest = rest >> 7) {
    size.push((rest & 127) | (rest > 127 ? 128 : 0));
    if (rest <= 127) break;
  }
  return Buffer.from([0x90, ...size, id >> 8, id & 255, ...codes]);
}

export function encodeUnsuback(id: number): Buffer {
  return Buffer.from([0xb0, 2, id >> 8, id & 255]);
}

/** @param type - PUBACK 4, PUBREC 5, PUBREL 6 or PUBCOMP 7. */
export function encodeAck(type: 4 | 5 | 6 | 7, id: number): Buffer {
  return Buffer.from([(type << 4) | (type === 6 ? 2 : 0), 2, id >> 8, id & 255]);
}

/** CONNACK that accepts. @param isPresent - a session was kept [MQTT-3.2.2-2]. */
export function encodeConnack(isPresent: boolean): Buffer {
  return Buffer.from([0x20, 2, isPresent ? 1 : 0, 0]);
}

export const PINGRESP = Buffer.from([0xd0, 0]);

/** CONNACK that refuses. Codes: 1 protocol version, 2 identifier, 3 unavailable, 4 bad password, 5 not authorized. */
export function encodeRefusal(code: 1 | 2 | 3 | 4 | 5): Buffer {
  return Buffer.from([0x20, 2, 0, code]);
}

/** CONNACK of MQTT 5 with "unsupported protocol version". **Source:** MQTT 5.0, section 3.2.2.2, reason code 0x84. */
export function encodeRefusal5(): Buffer {
  return Buffer.from([0x20, 3, 0, 0x84, 0]);
}
