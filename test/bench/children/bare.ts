/** The yardstick: reads registers and publishes JSON, and nothing else. No twins, no quality, no checks, no disk. */
import { once } from "node:events";
import { connect } from "node:net";
import mqtt from "mqtt";
import { childOptions, serveParent } from "../child.ts";

const { units, plc, broker } = childOptions<{ units: number; plc: number; broker: number }>();
const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker}`);
(client.stream as { setNoDelay?: (on: boolean) => void }).setNoDelay?.(true);
const socket = connect({ host: "127.0.0.1", port: plc, noDelay: true });
await once(socket, "connect");

let id = 0;
let rest: Buffer = Buffer.alloc(0);
let wake: ((pdu: Buffer) => void) | undefined;
socket.on("data", (chunk) => {
  rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
  while (rest.length >= 6 && rest.length >= 6 + rest.readUInt16BE(4)) {
    const end = 6 + rest.readUInt16BE(4);
    const pdu = rest.subarray(7, end);
    rest = rest.subarray(end);
    wake?.(pdu);
  }
});

function read(unit: number, start: number, count: number): Promise<Buffer> {
  const request = Buffer.alloc(12);
  request.writeUInt16BE(id++ & 0xffff, 0);
  request.writeUInt16BE(6, 4);
  request[6] = unit;
  request[7] = 3;
  request.writeUInt16BE(start, 8);
  request.writeUInt16BE(count, 10);
  const answer = new Promise<Buffer>((resolve) => {
    wake = resolve;
  });
  socket.write(request);
  return answer;
}

async function visit(unit: number): Promise<void> {
  const values: Record<string, number> = {};
  for (let start = 0; start < 1000; start += 125) {
    const pdu = await read(unit, start, 125);
    for (let i = 0; i < 125; i++) {
      const register = start + i;
      if (register === 0) values.clock = pdu.readUInt32BE(2);
      else if (register > 1) values[`p${register}`] = pdu.readInt16BE(2 + i * 2) / 10;
    }
  }
  client.publish(`bare/device-${unit}/telemetry`, JSON.stringify({ at: Date.now(), values }));
}

let stopped = false;
async function poll(): Promise<void> {
  for (let next = performance.now(); !stopped; next += 100) {
    for (let unit = 1; unit <= units; unit++) await visit(unit);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next + 100 - performance.now())));
  }
}
const polling = poll();
serveParent({}, async () => {
  stopped = true;
  await polling;
  socket.destroy();
  await client.endAsync();
});
