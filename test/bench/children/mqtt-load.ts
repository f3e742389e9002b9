/**
 * Load for a broker over raw sockets, because a client library is too slow to find a broker's limit: subscribers count
 * messages without decoding them, the publisher keeps a number of deliveries outstanding.
 */
import { connect, type Socket } from "node:net";
import { childOptions, clockUs } from "../child.ts";

export interface LoadOptions {
  readonly port: number;
  readonly qos: 0 | 1;
  readonly subscribers: number;
  readonly durable: boolean;
  /** Messages that may be under way; for the open loop, messages per second. */
  readonly window: number;
  readonly rate?: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  readonly idle?: number;
}

export interface LoadFigures {
  readonly deliveriesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const PAYLOAD = 200;
const options = childOptions<LoadOptions>();
const { port, qos, subscribers, durable, window, rate, warmUpMs, measureMs, idle = 0 } = options;

const text = (value: string) => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
const packet = (first: number, body: Buffer) => {
  const size = body.length < 128 ? [body.length] : [(body.length % 128) | 128, body.length >> 7];
  return Buffer.concat([Buffer.from([first, ...size]), body]);
};
const hello = (id: string, clean: boolean) =>
  packet(0x10, Buffer.concat([text("MQTT"), Buffer.from([4, clean ? 2 : 0, 0, 0]), text(id)]));

/** Calls `take` for each packet; bodies are not copied. */
function cut(socket: Socket, take: (bytes: Buffer, from: number, size: number) => void): void {
  let kept: Buffer | undefined;
  socket.on("data", (chunk: Buffer) => {
    const bytes = kept ? Buffer.concat([kept, chunk]) : chunk;
    let at = 0;
    for (;;) {
      if (at + 2 > bytes.length) break;
      let size = bytes[at + 1] ?? 0;
      let from = at + 2;
      if (size > 127) {
        if (at + 3 > bytes.length) break;
        size = (size & 127) + (bytes[at + 2] ?? 0) * 128;
        from++;
      }
      if (from + size > bytes.length) break;
      take(bytes, at, from + size - at);
      at = from + size;
    }
    kept = at < bytes.length ? bytes.subarray(at) : undefined;
  });
  socket.on("error", () => process.exit(1));
}

const open = (id: string, clean: boolean, take: (bytes: Buffer, at: number, size: number) => void) =>
  new Promise<Socket>((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    cut(socket, (bytes, at, size) => {
      if ((bytes[at] ?? 0) >> 4 === 2) resolve(socket);
      else take(bytes, at, size);
    });
    socket.write(hello(id, clean));
  });

let delivered = 0;
const latencies: number[] = [];
let isMeasuring = false;

for (let i = 0; i < subscribers; i++) {
  let subscribed: (() => void) | undefined;
  let acks: Buffer[] = [];
  let isDue = false;
  const socket = await open(`bench-sub-${i}`, !durable, (bytes, at) => {
    const first = bytes[at] ?? 0;
    if (first >> 4 === 9) return subscribed?.();
    if (first >> 4 !== 3) return;
    delivered++;
    const body = at + ((bytes[at + 1] ?? 0) > 127 ? 3 : 2) + 7;
    if (qos === 1) {
      acks.push(Buffer.from([0x40, 2, bytes[body] ?? 0, bytes[body + 1] ?? 0]));
      if (!isDue) {
        isDue = true;
        setImmediate(() => {
          isDue = false;
          socket.write(Buffer.concat(acks));
          acks = [];
        });
      }
    }
    if (rate !== undefined && isMeasuring)
      latencies.push((clockUs() - bytes.readUInt32LE(body + (qos > 0 ? 2 : 0)) + 2 ** 32) % 2 ** 32);
    publish();
  });
  await new Promise<void>((resolve) => {
    subscribed = resolve;
    socket.write(packet(0x82, Buffer.concat([Buffer.from([0, 1]), text("bench"), Buffer.from([qos])])));
  });
}

const sockets: Socket[] = [];
for (let i = 0; i < idle; i += 100) {
  const batch = Array.from({ length: Math.min(100, idle - i) }, (_, k) => open(`idle-${i + k}`, true, () => {}));
  const opened = await Promise.all(batch);
  for (const [k, socket] of opened.entries())
    socket.write(packet(0x82, Buffer.concat([Buffer.from([0, 1]), text(`idle/${i + k}`), Buffer.from([1])])));
  sockets.push(...opened);
}

let sent = 0;
let acknowledged = 0;
const publisher = await open("bench-pub", true, (bytes, at) => {
  if ((bytes[at] ?? 0) >> 4 !== 4) return;
  acknowledged++;
  publish();
});
const ids = () => (qos > 0 ? Buffer.from([((sent % 65_535) + 1) >> 8, ((sent % 65_535) + 1) & 255]) : Buffer.alloc(0));
function message(): Buffer {
  const body = Buffer.alloc(PAYLOAD);
  body.writeUInt32LE(clockUs());
  return packet(0x30 | (qos << 1), Buffer.concat([text("bench"), ids(), body]));
}
/** Closed loop: as many as the window allows, counted by what came out at the far end. */
function publish(): void {
  if (rate !== undefined) return;
  const out: Buffer[] = [];
  while (out.length < window) {
    const isFull = sent - delivered / subscribers >= window || (qos === 1 && sent - acknowledged >= window);
    if (isFull) break;
    out.push(message());
    sent++;
  }
  if (out.length > 0) publisher.write(Buffer.concat(out));
}

if (idle === 0) {
  const began = performance.now();
  if (rate !== undefined) {
    const perMs = rate / 1000;
    setInterval(() => {
      const due = Math.floor((performance.now() - began) * perMs) - sent;
      const out: Buffer[] = [];
      for (let i = 0; i < due; i++) {
        out.push(message());
        sent++;
      }
      if (out.length > 0) publisher.write(Buffer.concat(out));
    }, 1);
  }
  publish();
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  const before = delivered;
  isMeasuring = true;
  const from = performance.now();
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  const seconds = (performance.now() - from) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  process.send?.({
    deliveriesPerSecond: (delivered - before) / seconds,
    p50Us: at(0.5),
    p99Us: at(0.99),
  } satisfies LoadFigures);
} else {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  process.send?.({ deliveriesPerSecond: 0, p50Us: 0, p99Us: 0 } satisfies LoadFigures);
}
process.on("disconnect", () => process.exit(0));
