import { Reports } from "#cloud/devices/reports";
import { openStore } from "#cloud/store";
import type { Batch, TelemetrySink } from "#cloud/telemetry/sink";
import { SqliteSink } from "#cloud/telemetry/sqlite-sink";
import { silent } from "#std/log";
import type { Database } from "#std/sqlite";
import { openMemorySink } from "../rigs/memory-sink.ts";
import { keepsSinkContract, type SinkRig } from "./sink.ts";

/** The cloud's own list of what has come, taken from the product: what it gives to the sink is what is noted. */
function rigOn(open: (db: Database) => TelemetrySink): SinkRig {
  const db = openStore(":memory:", silent);
  const sink = open(db);
  let noted = (): ReturnType<SinkRig["note"]> => [];
  const catcher = Object.create(sink, {
    append: {
      async value(_: Batch, note: typeof noted) {
        noted = note;
      },
    },
  }) as TelemetrySink;
  const reports = new Reports(db, catcher);
  return {
    sink,
    note({ node, epoch, rows, layouts, takenAt }) {
      void reports.take(node, epoch, rows, takenAt, layouts);
      return noted();
    },
    [Symbol.dispose]: () => db[Symbol.dispose](),
  };
}

keepsSinkContract("SQLite", () => rigOn((db) => new SqliteSink(db)));
keepsSinkContract("an engine outside of the database", () => rigOn(openMemorySink));
