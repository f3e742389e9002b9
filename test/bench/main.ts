/**
 * `npm run bench [section …]`: figures as they are on this machine, beside a baseline of the same run. Quote the ratios;
 * the absolute figures are those of this machine at this moment.
 */

type Row = readonly (string | number)[];

interface Section {
  readonly name: string;
  readonly summary: string;
  run(): Promise<readonly Row[]>;
}

const sections: readonly Section[] = [
  {
    name: "pipeline",
    summary: "Modbus TCP register → MQTT subscriber, one telemetry message a visit, beside a bare script",
    async run() {
      const { benchPipeline } = await import("./pipeline.ts");
      const rows: Row[] = [["load", "who", "values/s", "p50 ms", "p99 ms", "CPU µs/value", "RSS MiB"]];
      for (const units of [1, 10]) {
        const { skerry, bare } = await benchPipeline(units, 15_000);
        const load = `${units * 1000} registers × 10 Hz`;
        for (const [who, it] of Object.entries({ skerry, bare }))
          rows.push([load, who, it.valuesPerSecond, it.p50Ms, it.p99Ms, it.cpuUsPerValue, it.rssMiB]);
        const ratio = (a: number, b: number) => `${show(a / b)}×`;
        rows.push([
          load,
          "ratio",
          ratio(skerry.valuesPerSecond, bare.valuesPerSecond),
          ratio(skerry.p50Ms, bare.p50Ms),
          ratio(skerry.p99Ms, bare.p99Ms),
          ratio(skerry.cpuUsPerValue, bare.cpuUsPerValue),
          ratio(skerry.rssMiB, bare.rssMiB),
        ]);
      }
      return rows;
    },
  },
  {
    name: "twins",
    summary: "wishes per second, each on disk before it is answered; the baseline is one caller, one commit each",
    async run() {
      const { benchTwins } = await import("./twins.ts");
      const figures = await benchTwins();
      const base = figures[0]?.perSecond ?? 1;
      return [
        ["callers", "wishes/s", "ratio"],
        ...figures.map(({ callers, perSecond }) => [String(callers), perSecond, `${show(perSecond / base)}×`]),
      ];
    },
  },
  {
    name: "registry",
    summary: "the embedded Kubernetes API over TLS, on a file with full durability",
    async run() {
      const { benchRegistry } = await import("./registry.ts");
      const { devices, creates, patchesPerSecond, listMs, listBytes } = await benchRegistry();
      const base = creates[0]?.perSecond ?? 1;
      return [
        ["what", "figure", "ratio to one client"],
        ...creates.map(({ clients, perSecond }) => [
          `creates/s, ${clients} at once`,
          perSecond,
          `${show(perSecond / base)}×`,
        ]),
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
    async run() {
      const { benchStart } = await import("./start.ts");
      const figures = await benchStart(6);
      return [["start", "ms"], ...figures.map((ms, i) => [String(i + 1), ms])];
    },
  },
];

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !sections.some((section) => section.name === name));
if (unknown.length > 0) {
  const known = sections.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join("\n");
  console.error(`no such section: ${unknown.join(", ")}; there are\n${known}`);
  process.exit(2);
}
for (const { name, summary, run } of sections) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(`\n${name}: ${summary}`);
  print(await run());
}

function print(rows: readonly Row[]): void {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === "number" ? show(cell) : cell)));
  const widths = (texts[0] ?? []).map((_, i) => Math.max(...texts.map((row) => (row[i] ?? "").length)));
  for (const row of texts)
    console.log(
      `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")}`,
    );
}

function show(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value.toPrecision(3);
}
