/** A whole node with one device per unit, each 999 properties at 10 Hz. */
import { drivers } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { openLog } from "#std/log";
import { childOptions, serveParent } from "../child.ts";

interface Options {
  readonly units: number;
  readonly plc: number;
  readonly dataDir: string;
}

const { units, plc, dataDir } = childOptions<Options>();
const edge = await openEdge(
  { config: edgeConfig.parse({ dataDir, mqtt: { port: 0 }, api: { port: 0 } }), identity: undefined, version: "bench" },
  { drivers, clock: systemClock, log: openLog({ level: "warn" }) },
);
const address = (register: number, type: string) => ({ table: "holding", register, type });
const model = {
  protocol: "modbus",
  properties: [
    { name: "clock", type: "integer", address: address(0, "uint32"), every: "100ms" },
    ...Array.from({ length: 998 }, (_, i) => ({
      name: `p${i + 2}`,
      type: "number",
      scale: 0.1,
      address: address(i + 2, "int16"),
      every: "100ms",
    })),
  ],
};
for (let unit = 1; unit <= units; unit++) {
  await edge.supervisor.declare({
    namespace: "default",
    name: `device-${unit}`,
    uid: `uid-${unit}`,
    generation: 1,
    modelGeneration: 1,
    spec: {
      model: "bench",
      node: "bench",
      link: { host: "127.0.0.1", port: plc },
      station: { unit },
      telemetry: { keep: "every" },
    },
    model,
  });
}
serveParent({ port: edge.mqtt.port }, async () => await edge[Symbol.asyncDispose]());
