/**
 * Lines a second from bytes to readings: framing, checksum, selection of the frame, extraction. Beside it, on the same
 * bytes, a script that only splits lines, and one that also takes the first value out by hand, without any check.
 */
import type { Driver } from "#devices/driver";
import { openFramer } from "#drivers/serial/framing";
import { serial } from "#drivers/serial/index";
import { dialectOf, type Part, partOf } from "#drivers/serial/plan";
import type { SerialAddress } from "#drivers/serial/schema/address";
import type { SerialStation } from "#drivers/serial/schema/station";
import { sentence } from "#drivers/serial/simulated";

/** What one way of reading a stream costs. */
export interface SerialFigures {
  readonly linesPerSecond: number;
  readonly nsPerLine: number;
  /** How many times as long as splitting lines takes, and as splitting them and taking one value out by hand. */
  readonly overSplit: number;
  readonly overScript: number;
}

const LINES = 200_000;
const ROUNDS = 5;
const CHUNK_BYTES = 4_096;

const driver: Driver = serial();

/** What is declared of the lines. */
interface Case {
  readonly line: (i: number) => string;
  readonly station: object;
  readonly addresses: readonly object[];
  /** The first value, as a script would take it. */
  readonly byHand: (line: string) => number;
}

const latitude = (line: string) => {
  const [, , text = "", hemisphere] = line.split(",");
  const degrees = Number(text.slice(0, 2)) + Number(text.slice(2)) / 60;
  return hemisphere === "S" ? -degrees : degrees;
};

const cases: Readonly<Record<string, Case>> = {
  "32-byte lines, 1 regex": {
    line: (i) => `temp=${(i % 1000).toFixed(3).padStart(8, "0")} state=ok   ok\r\n`,
    station: { unsolicited: true },
    addresses: [{ prefix: "temp=", regex: "^temp=(?<value>\\d+\\.\\d+)" }],
    byHand: (line) => Number(/^temp=(\d+\.\d+)/.exec(line)?.[1]),
  },
  "32-byte lines, 1 column": {
    line: (i) => `temp,${(i % 1000).toFixed(3).padStart(8, "0")},state,ok,ok  \r\n`,
    station: { unsolicited: true },
    addresses: [{ prefix: "temp,", column: 1 }],
    byHand: (line) => Number(line.split(",")[1]),
  },
  "NMEA GGA, checksum, 1 property": {
    line: (i) =>
      sentence(`GPGGA,123519,48${String(i % 60).padStart(2, "0")}.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,`),
    station: { unsolicited: true, checksum: { name: "xor", form: "hex", mark: "*", skip: 1 } },
    addresses: [{ frame: "^\\$G[A-Z]GGA,", column: 2, type: "degrees" }],
    byHand: latitude,
  },
  "NMEA GGA, checksum, 5 properties": {
    line: (i) =>
      sentence(`GPGGA,123519,48${String(i % 60).padStart(2, "0")}.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,`),
    station: { unsolicited: true, checksum: { name: "xor", form: "hex", mark: "*", skip: 1 } },
    addresses: [
      { frame: "^\\$G[A-Z]GGA,", column: 2, type: "degrees" },
      { frame: "^\\$G[A-Z]GGA,", column: 4, type: "degrees" },
      ...[6, 7, 9].map((column) => ({ frame: "^\\$G[A-Z]GGA,", column })),
    ],
    byHand: latitude,
  },
};

/** Measures every case. */
export function benchSerial(): Readonly<Record<string, SerialFigures>> {
  const figures: Record<string, SerialFigures> = {};
  for (const [name, { line, station, addresses, byHand }] of Object.entries(cases)) {
    const chunks = chunksOf(Array.from({ length: LINES }, (_, i) => line(i)).join(""));
    const parsed = driver.station.parse(station) as SerialStation;
    const splitNs = best(() => splitLines(chunks));
    const scriptNs = best(() => splitLines(chunks, byHand));
    const nsPerLine = best(() => readLines(chunks, parsed, addresses));
    const [overSplit, overScript] = [nsPerLine / splitNs, nsPerLine / scriptNs];
    figures[name] = { linesPerSecond: Math.round(1e9 / nsPerLine), nsPerLine, overSplit, overScript };
  }
  return figures;
}

function chunksOf(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text, "latin1");
  const chunks: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES) chunks.push(bytes.subarray(from, from + CHUNK_BYTES));
  return chunks;
}

/** Nanoseconds a line of the fastest round; the first ones warm up. */
function best(run: () => number): number {
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const from = process.hrtime.bigint();
    const lines = run();
    if (lines !== LINES) throw new Error(`${lines} of ${LINES} lines were read`);
    fastest = Math.min(fastest, Number(process.hrtime.bigint() - from) / LINES);
  }
  return fastest;
}

/** What a script does with each chunk: decode, join, split. */
function splitLines(chunks: readonly Buffer[], byHand: (line: string) => number = () => 0): number {
  let rest = "";
  let count = 0;
  for (const chunk of chunks) {
    const lines = (rest + chunk.toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (Number.isFinite(byHand(line))) count++;
  }
  return count;
}

/** The way of a line in the driver, without the socket: how many gave a good reading of every property. */
function readLines(chunks: readonly Buffer[], station: SerialStation, addresses: readonly object[]): number {
  const dialect = dialectOf(station);
  const parts = addresses.map((address, i) => {
    const parsed = driver.address.parse(address) as SerialAddress;
    return partOf({ property: `p${i}`, address: parsed }, i, station) as Part;
  });
  let good = 0;
  const framer = openFramer(station.framing, (frame) =>
    dialect.open(frame, (body) => {
      if (body instanceof Error) return;
      for (const part of parts) if (part.matches(body.text) && part.read(body, 0).ok) good++;
    }),
  );
  for (const chunk of chunks) framer.push(chunk);
  return good / parts.length;
}

if (import.meta.main) benchSerial();
