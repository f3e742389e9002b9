import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { eventually } from "../../../rigs/eventually.ts";

/** A packet as it came: first byte and the rest after the fixed header. */
export interface Came {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** A message as it came. */
export interface CameMessage {
  readonly topic: string;
  readonly text: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly id: number;
}

/** A client that does what it is told, byte by byte, and nothing of its own but to acknowledge. */
export interface Raw extends Disposable {
  readonly socket: Socket;
  readonly packets: Came[];
  readonly messages: CameMessage[];
  readonly isClosed: boolean;
  /** False: nothing is acknowledged. */
  acknowledges: boolean;
  send(...packets: readonly Uint8Array[]): void;
  of(type: number): readonly Came[];
  closed(): Promise<void>;
}

export async function openRaw(port: number): Promise<Raw> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const packets: Came[] = [];
  const messages: CameMessage[] = [];
  let kept = Buffer.alloc(0);
  let isClosed = false;
  const raw: Raw = {
    socket,
    packets,
    messages,
    get isClosed() {
      return isClosed;
    },
    acknowledges: true,
    send: (...bytes) => {
      for (const one of bytes) socket.write(one);
    },
    of: (type) => packets.filter((packet) => packet.type === type),
    closed: async () => {
      await eventually(() => isClosed);
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
  socket.on("close", () => {
    isClosed = true;
  });
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]);
    for (;;) {
      const cut = cutPacket(kept);
      if (!cut) return;
      kept = kept.subarray(cut.end);
      packets.push(cut.packet);
      take(raw, cut.packet);
    }
  });
  await once(socket, "connect");
  return raw;
}

function cutPacket(bytes: Buffer): { readonly packet: Came; readonly end: number } | undefined {
  let size = 0;
  for (let i = 1; i < 5; i++) {
    const byte = bytes[i];
    if (byte === undefined) return undefined;
    size += (byte & 127) * 128 ** (i - 1);
    if (byte & 128) continue;
    const end = i + 1 + size;
    if (bytes.length < end) return undefined;
    const first = bytes[0] ?? 0;
    return { packet: { type: first >> 4, flags: first & 15, body: bytes.subarray(i + 1, end) }, end };
  }
  return undefined;
}

function take(raw: Raw, { type, flags, body }: Came): void {
  if (type === 6 && raw.acknowledges) raw.send(Buffer.from([0x70, 2, ...body]));
  if (type !== 3) return;
  const qos = (flags >> 1) & 3;
  const size = body.readUInt16BE(0);
  const id = qos > 0 ? body.readUInt16BE(2 + size) : 0;
  const text = body.toString("utf8", 2 + size + (qos > 0 ? 2 : 0));
  const topic = body.toString("utf8", 2, 2 + size);
  raw.messages.push({ topic, text, qos, id, retain: (flags & 1) === 1, dup: (flags & 8) === 8 });
  if (qos > 0 && raw.acknowledges) raw.send(Buffer.from([qos === 1 ? 0x40 : 0x50, 2, id >> 8, id & 255]));
}

const text = (value: string) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
};

export function packet(first: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const size: number[] = [];
  for (let rest = body.length, more = true; more; ) {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    more = rest > 0;
    size.push(digit | (more ? 128 : 0));
  }
  return Buffer.concat([Buffer.from([first, ...size]), body]);
}

export interface ConnectFields {
  readonly client: string;
  readonly clean?: boolean;
  readonly will?: { readonly topic: string; readonly text: string; readonly qos?: number; readonly retain?: boolean };
  readonly user?: string;
  readonly password?: string;
  readonly keepAlive?: number;
}

export function connectPacket({ client, clean = true, will, user, password, keepAlive = 0 }: ConnectFields): Buffer {
  const willFlags = will ? 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0) : 0;
  const flags = (clean ? 2 : 0) | willFlags | (user === undefined ? 0 : 128) | (password === undefined ? 0 : 64);
  return packet(
    0x10,
    text("MQTT"),
    Buffer.from([4, flags, keepAlive >> 8, keepAlive & 255]),
    text(client),
    ...(will ? [text(will.topic), text(will.text)] : []),
    ...(user === undefined ? [] : [text(user)]),
    ...(password === undefined ? [] : [text(password)]),
  );
}

export function publishPacket(
  topic: string,
  body: string | Uint8Array,
  { qos = 0, id = 0, retain = false, dup = false } = {},
): Buffer {
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return packet(first, text(topic), qos > 0 ? Buffer.from([id >> 8, id & 255]) : Buffer.alloc(0), Buffer.from(body));
}

export function subscribePacket(id: number, ...filters: readonly (readonly [string, number])[]): Buffer {
  const parts = filters.flatMap(([filter, qos]) => [text(filter), Buffer.from([qos])]);
  return packet(0x82, Buffer.from([id >> 8, id & 255]), ...parts);
}

export function unsubscribePacket(id: number, ...filters: readonly string[]): Buffer {
  return packet(0xa2, Buffer.from([id >> 8, id & 255]), ...filters.map(text));
}

export const pubrelPacket = (id: number) => Buffer.from([0x62, 2, id >> 8, id & 255]);
export const pingPacket = Buffer.from([0xc0, 0]);
export const disconnectPacket = Buffer.from([0xe0, 0]);

/** A client that is connected; subscribed too when filters are given. */
export async function join(
  port: number,
  fields: ConnectFields,
  ...filters: readonly (readonly [string, number])[]
): Promise<Raw> {
  const raw = await openRaw(port);
  raw.send(connectPacket(fields));
  await eventually(() => raw.of(2).length === 1 || raw.isClosed);
  if (filters.length > 0) {
    raw.send(subscribePacket(1, ...filters));
    await eventually(() => raw.of(9).length === 1);
  }
  return raw;
}
