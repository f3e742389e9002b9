/**
 * `npm run bench [section …|all]`: figures as they are on this machine, beside a baseline of the same run. Quote the
 * ratios; the absolute figures are those of this machine at this moment.
 */
import { linesOf, type Row, show, tableOf } from "./table.ts";

interface Section {
  readonly name: string;
  readonly summary: string;
  /** Runs when nothing is named. */
  readonly isUsual: boolean;
  run(): Promise<readonly Row[]>;
}

const sections: readonly Section[] = [
  {
    name: "pipeline",
    summary: "Modbus TCP register → MQTT subscriber, one telemetry message a visit, beside a bare script",
    isUsual: true,
    async run() {
      const { benchPipeline } = await import("./pipeline.ts");
      const rows = [];
      for (const units of [1, 10]) {
        const { skerry, bare } = await benchPipeline(units, 15_000);
        const load = `${units * 1000} registers × 10 Hz`;
        const ratio = Object.fromEntries(
          Object.entries(skerry).map(([name, value]) => [name, `${show(value / bare[name as keyof typeof bare])}×`]),
        );
        rows.push({ load, who: "skerry", ...skerry }, { load, who: "bare", ...bare }, { load, who: "ratio", ...ratio });
      }
      return tableOf(rows);
    },
  },
  {
    name: "twins",
    summary: "wishes per second, each on disk before it is answered; the baseline is one caller, one commit each",
    isUsual: true,
    async run() {
      const { benchTwins } = await import("./twins.ts");
      const figures = await benchTwins();
      const base = figures[0]?.perSecond ?? 1;
      return tableOf(figures.map((it) => ({ ...it, ratio: `${show(it.perSecond / base)}×` })));
    },
  },
  {
    name: "storm",
    summary: "a cloud is killed and comes back: thousands of nodes dial at once, each with a backlog of 50 rows",
    isUsual: false,
    async run() {
      const { benchStorm } = await import("./storm.ts");
      const rows = [];
      for (const nodes of [500, 1_000, 2_000]) rows.push(await benchStorm(nodes));
      return tableOf(rows.map((it) => ({ ...it })));
    },
  },
  {
    name: "registry",
    summary: "the embedded Kubernetes API over TLS, on a file with full durability",
    isUsual: true,
    async run() {
      const { benchRegistry } = await import("./registry.ts");
      const { devices, creates, patchesPerSecond, listMs, listBytes } = await benchRegistry();
      const base = creates[0]?.perSecond ?? 1;
      const rows = creates.map((it) => [
        `creates/s, ${it.clients} at once`,
        it.perSecond,
        `${show(it.perSecond / base)}×`,
      ]);
      return [
        ["what", "figure", "to one client"],
        ...rows,
        ["status patches/s, 32 at once", patchesPerSecond, `${show(patchesPerSecond / base)}×`],
        [`list of ${devices}, ms`, listMs, ""],
        ["list, bytes per object", listBytes / devices, ""],
      ];
    },
  },
  {
    name: "start",
    summary:
      "from the start of a node's process to its first value at a subscriber; the first start begins the database",
    isUsual: true,
    async run() {
      const { benchStart } = await import("./start.ts");
      return tableOf((await benchStart(6)).map((ms, i) => ({ start: String(i + 1), ms })));
    },
  },
  {
    name: "lazy",
    summary: "start and memory of a node without and with one device of a heavy protocol, its link refused",
    isUsual: false,
    run: async () => tableOf(await (await import("./lazy.ts")).benchLazy(5)),
  },
  {
    name: "outbox",
    summary: "telemetry that is kept: appended, on disk, on the wire, and an hour of 10,000 values/s drained",
    isUsual: false,
    run: async () => tableOf([await (await import("./outbox.ts")).benchOutbox()]),
  },
  {
    name: "sinks",
    summary: "telemetry as the cloud keeps it: SQLite, PostgreSQL and NATS JetStream, where they are installed",
    isUsual: false,
    run: async () => tableOf(await (await import("./sinks.ts")).benchSinks()),
  },
  {
    name: "broker",
    summary:
      "the site's broker beside aedes, and mosquitto with durable settings and with its defaults where it is installed",
    isUsual: false,
    run: async () => tableOf(await (await import("./broker.ts")).benchBroker()),
  },
  {
    name: "line",
    summary: "one dead unit among 32 on an RTU line: how late the values of the others are",
    isUsual: false,
    run: async () => tableOf([await (await import("./modbus.ts")).benchDeadUnit()]),
  },
  {
    name: "links",
    summary: "1,000 Modbus links, each with one device of ten values at 1 Hz; the simulator is in the same process",
    isUsual: false,
    run: async () => tableOf([await (await import("./modbus.ts")).benchLinks()]),
  },
  {
    name: "opcua",
    summary: "OPC UA by subscription, beside a bare script of node-opcua-client",
    isUsual: false,
    run: async () => tableOf(await (await import("./opcua.ts")).benchOpcua()),
  },
  {
    name: "serial",
    summary: "serial lines from bytes to readings, beside a script that only splits lines",
    isUsual: false,
    async run() {
      const { benchSerial } = await import("./serial.ts");
      return tableOf(Object.entries(benchSerial()).map(([lines, figures]) => ({ lines, ...figures })));
    },
  },
];

const named = process.argv.slice(2);
const unknown = named.filter((name) => name !== "all" && !sections.some((section) => section.name === name));
if (unknown.length > 0) {
  const known = sections.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join("\n");
  console.error(`no such section: ${unknown.join(", ")}; there are all, and\n${known}`);
  process.exit(2);
}
for (const { name, summary, isUsual, run } of sections) {
  const isChosen = named.length === 0 ? isUsual : named.includes("all") || named.includes(name);
  if (!isChosen) continue;
  console.log(`\n${name}: ${summary}`);
  for (const line of linesOf(await run())) console.log(`  ${line}`);
}
process.exit(0);
