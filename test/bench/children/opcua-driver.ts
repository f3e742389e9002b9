/** The driver, watching a crowd: values with quality and time, counted as they are yielded. */
import { opcua } from "#drivers/opcua/index";
import { childOptions } from "../child.ts";
import { type OpcuaLoad, serveCount } from "./opcua-count.ts";

const { port, count, everyMs, security } = childOptions<OpcuaLoad>();
const driver = opcua();
const endpoint = `opc.tcp://127.0.0.1:${port}/plant`;
const stop = new AbortController();
const stranger = driver.server.parse({ endpoint });
const trust = { fingerprint: (await driver.presented(stranger, stop.signal)).fingerprint };
const link = driver.server.parse({
  endpoint,
  ...(security ? { trust } : { security: { mode: "None", insecure: true } }),
});
const connection = await driver.connect(link, stop.signal);
const station = driver.station.parse({ publishingInterval: `${everyMs}ms` });
const points = Array.from({ length: count }, (_, i) => ({
  property: `v${i}`,
  address: driver.address.parse({ nodeId: `ns=1;s=V${i}`, sampling: "0ms", queueSize: 5 }),
  everyMs,
}));
let values = 0;
const watching = (async () => {
  for await (const batch of connection.watch?.(station, points, stop.signal) ?? [])
    for (const { reading } of batch) if (reading.ok) values++;
})();
serveCount(
  () => values,
  async () => {
    stop.abort();
    await watching;
    await connection[Symbol.asyncDispose]();
  },
);
