import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import type { Database } from "#std/sqlite";
import { has } from "#wire/ranges";
import type { Stream, StreamState } from "./client.ts";
import { type RowName, readId } from "./names.ts";
import type { Notes } from "./notes.ts";

export interface StrayPorts {
  readonly notes: Notes;
  readonly db: Database;
  readonly log: Log;
  readonly clock: Clock;
}

/** Rows that are booked in one transaction. */
const BATCH = 1_000;

/**
 * Reads what is in the stream behind the mark, books what the cloud has not noted as strays, and sets the mark to the
 * end. Nobody writes meanwhile.
 */
export async function findStrays(stream: Stream, { notes, db, log, clock }: StrayPorts): Promise<StreamState> {
  const state = await stream.state();
  const { created, last } = state;
  const mark = notes.mark;
  const isSame = mark?.created === created;
  const noted = isSame ? mark.number : 0;
  if (mark && !isSame) log.warn("telemetry stream is another one than before", { was: mark.created, is: created });
  // A server that acknowledged before its disk had it, and lost power.
  if (noted > last) log.error("telemetry stream lost messages", { from: last + 1, to: noted });
  let found: RowName[] = [];
  const book = (number: number) =>
    db.commit(() => {
      for (const name of found)
        if (!has(notes.noted(name.node, name.epoch), name.seq)) notes.addStray(name, clock.now());
      notes.setMark({ created, number });
      found = [];
    });
  if (last > noted)
    for await (const message of stream.read({ fromNumber: noted + 1, onlyHeads: true })) {
      const name = readId(message.header("Nats-Msg-Id"));
      if (name) found.push(name);
      if (found.length >= BATCH) await book(message.number);
    }
  await book(last);
  return state;
}
