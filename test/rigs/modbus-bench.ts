/** What the Modbus driver and its simulator cost. Called by `test/bench`; run alone it prints what it measured. */
import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { modbus } from "#drivers/modbus/index";

/** One figure. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const forever = new AbortController().signal;

/** One device with a thousand registers, of the given type, ten times a second is what the edge is built for. */
const shapes = {
  uint16: (i: number) => ({ table: "holding", register: i }),
  float32: (i: number) => ({ table: "holding", register: 2 * (i % 1000), type: "float32", words: "little" }),
  coil: (i: number) => ({ table: "coil", register: i }),
};

/** CPU time per value on the driver's thread, the rate of one connection, and what the simulator can serve. */
export async function measureModbus(visits = 500): Promise<readonly Figure[]> {
  const worker = new Worker(new URL("./modbus-worker.ts", import.meta.url));
  const [port] = (await once(worker, "message")) as [number];
  const driver = modbus();
  const connection = await driver.connect(driver.link.parse({ host: "127.0.0.1", port }), forever);
  const station = driver.station.parse({});
  const figures: Figure[] = [];
  for (const [name, shape] of Object.entries(shapes)) {
    const points = Array.from({ length: 1000 }, (_, i) => ({
      property: `p${i}`,
      address: driver.address.parse(shape(i)),
    }));
    for (let visit = 0; visit < visits / 5; visit++) await connection.read(station, points, forever);
    const [cpu, start] = [process.threadCpuUsage(), performance.now()];
    for (let visit = 0; visit < visits; visit++) await connection.read(station, points, forever);
    const used = process.threadCpuUsage(cpu);
    const values = visits * points.length;
    figures.push({ name: `read ${name}, cpu`, value: ((used.user + used.system) * 1000) / values, unit: "ns/value" });
    figures.push({ name: `read ${name}, wall`, value: ((performance.now() - start) * 1e6) / values, unit: "ns/value" });
  }
  const points = [{ property: "p", address: driver.address.parse(shapes.uint16(0)) }];
  const start = performance.now();
  for (let visit = 0; visit < 20 * visits; visit++) await connection.read(station, points, forever);
  figures.push({ name: "one after the other", value: rate(20 * visits, start), unit: "requests/s" });
  figures.push({ name: "simulator, 32 in flight", value: await flood(port, 200 * visits), unit: "requests/s" });
  await connection[Symbol.asyncDispose]();
  await worker.terminate();
  return figures;
}

/** Keeps 32 requests for ten registers in flight and returns how many are answered in a second. */
async function flood(port: number, total: number): Promise<number> {
  const request = Buffer.from("00010000000601030000000a", "hex");
  const answerBytes = 29;
  const window = Buffer.concat(Array(32).fill(request));
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  const start = performance.now();
  let bytes = 0;
  let answered = 0;
  socket.write(window);
  await new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      const now = Math.floor(bytes / answerBytes);
      const fresh = now - answered;
      answered = now;
      if (answered >= total) resolve();
      else if (fresh > 0) socket.write(window.subarray(0, fresh * request.length));
    });
  });
  socket.destroy();
  return rate(answered, start);
}

function rate(count: number, start: number): number {
  return (count * 1000) / (performance.now() - start);
}

if (import.meta.main) {
  for (const { name, value, unit } of await measureModbus()) {
    process.stdout.write(`${name.padEnd(28)} ${Math.round(value)} ${unit}\n`);
  }
}
