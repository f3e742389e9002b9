import { Reports } from "#cloud/devices/reports";
import { openStore } from "#cloud/store";
import type { SinkConfig } from "#cloud/telemetry/config";
import { openSink } from "#cloud/telemetry/open-sink";
import type { Batch, Note, TelemetrySink } from "#cloud/telemetry/sink";
import { systemClock } from "#std/clock";
import { type Log, silent } from "#std/log";
import type { Database } from "#std/sqlite";
import type { Row } from "#wire/messages";

const DAY_MS = 86_400_000;
/** More than any test writes. */
export const enough = { keepMs: 7 * DAY_MS, keepRows: 10_000_000, keepBytes: 2 ** 28 };

/** An open sink, and the list of what has come that the cloud keeps beside it. */
export interface SinkRig extends AsyncDisposable {
  readonly sink: TelemetrySink;
  /** As the cloud uses it: what it has taken is noted, and not kept again. */
  readonly reports: Reports;
  /** Notes within a transaction of the cloud's database which rows are here; returns those that are new. */
  note(batch: Batch): readonly Row[];
}

export interface SinkRigOptions {
  /** Folder of the cloud's database. @default in memory */
  readonly dataDir?: string;
  readonly log?: Log;
}

/** A sink as the cloud opens it, with the cloud's own list of what has come. */
export async function sinkRig(
  config: SinkConfig | ((db: Database) => TelemetrySink),
  { dataDir = ":memory:", log = silent }: SinkRigOptions = {},
): Promise<SinkRig> {
  const db = openStore(dataDir, silent);
  const ports = { db, retention: enough, environment: {}, log, clock: systemClock };
  const sink = typeof config === "function" ? config(db) : await openSink(config, ports);
  let noted: Note = () => [];
  // What the cloud gives to its sink is what is noted.
  const catcher = Object.create(sink, {
    append: {
      async value(_: Batch, note: Note) {
        noted = note;
      },
    },
  }) as TelemetrySink;
  const noting = new Reports(db, catcher);
  return {
    sink,
    reports: new Reports(db, sink),
    note({ node, epoch, rows, layouts, takenAt }) {
      void noting.take(node, epoch, rows, takenAt, layouts);
      return noted();
    },
    async [Symbol.asyncDispose]() {
      await sink[Symbol.asyncDispose]();
      db[Symbol.dispose]();
    },
  };
}
