import { Readable } from "node:stream";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Reply, Routes } from "#std/http";
import { Queue } from "#std/queue";
import type { Reports } from "../devices/reports.ts";
import { bucketsCsv, type Message, messageOf, messagesCsv } from "./answer.ts";
import { check, type Numbered } from "./check.ts";
import { parseCheck, parseGapQuestion, parseQuestion, type TelemetryQuestion } from "./query.ts";

export interface TelemetryPorts {
  readonly reports: Reports;
  readonly units: (namespace: string, device: string) => Readonly<Record<string, string>>;
  readonly clock: Clock;
}

interface Which {
  readonly namespace: string;
  readonly device: string;
}

/** Messages that may wait for a reader who follows; who is further behind is dropped, and reads the history instead. */
const MOST_WAITING = 1_000;
const MOST_FOLLOWERS = 100;
/** Messages that are checked at once; beyond that somebody should ask for a shorter span. */
const MOST_CHECKED = 1_000_000;

/** Serves telemetry and the gap ledger. */
export function telemetryRoutes(app: Routes, { reports, units, clock }: TelemetryPorts): void {
  let followers = 0;

  app.get<{ Params: Which }>("/v1/telemetry/:namespace/:device", async ({ params, query }, reply) => {
    const question = parseQuestion(query, clock.now());
    if (question.follow) {
      if (followers >= MOST_FOLLOWERS) throw new Fault("OVERLOADED", `${MOST_FOLLOWERS} readers follow already`);
      followers++;
      reply.raw.once("close", () => followers--);
      return reply.type("application/x-ndjson").send(follow(reports, params, question, reply));
    }
    const about = { units: units(params.namespace, params.device) };
    const csv = question.format === "csv";
    if (question.everyMs !== undefined) {
      const buckets = await reports.sink.summarize({ ...params, ...question }, question.everyMs, question.properties);
      if (csv) return reply.type("text/csv; charset=utf-8").send(bucketsCsv(buckets));
      return { ...params, ...about, everyMs: question.everyMs, buckets };
    }
    const kept = await reports.sink.query({ ...params, ...question }, question.limit);
    const messages = kept.flatMap((row) => messageOf(row, question.properties) ?? []);
    if (csv) return reply.type("text/csv; charset=utf-8").send(messagesCsv(messages));
    return { ...params, ...about, messages };
  });

  app.get<{ Params: Which }>("/v1/telemetry/:namespace/:device/check", async ({ params, query }) => {
    const span = { ...params, ...parseCheck(query, clock.now()) };
    const numbered: Numbered[] = [];
    for await (const { node, epoch, seq: row, at, body } of reports.sink.scan(span)) {
      if (numbered.length >= MOST_CHECKED)
        throw new Fault("OVERLOADED", `over ${MOST_CHECKED} messages to check; ask for a shorter span`);
      numbered.push({ node, epoch, row, seq: (body as Partial<Message> | null)?.seq ?? 0, at });
    }
    return { ...params, ...check(numbered, reports.ledger.list({ ...span, limit: MOST_CHECKED })) };
  });

  app.get("/v1/gaps", ({ query }) => ({ gaps: reports.ledger.list(parseGapQuestion(query, clock.now())) }));
}

/** New messages as lines of JSON, as they come, until the reader goes or is too slow. */
function follow(reports: Reports, which: Which, { properties }: TelemetryQuestion, reply: Reply): Readable {
  const lines = new Queue<string>(MOST_WAITING);
  const following = reports.follow({
    ...which,
    take(kept) {
      const message = messageOf(kept, properties);
      // A hole in the middle of a stream would go unseen; its end does not.
      if (message && !lines.push(`${JSON.stringify(message)}\n`)) reply.raw.destroy();
    },
  });
  reply.raw.once("close", () => {
    following[Symbol.dispose]();
    lines.close();
  });
  // Node sends the head with the first byte; an empty line says at once that somebody listens.
  lines.push("\n");
  return Readable.from(lines);
}
