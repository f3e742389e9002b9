import type { Bucket } from "#cloud/telemetry/buckets";
import { Buckets, goodValues } from "#cloud/telemetry/buckets";
import type { Kept, Span, TelemetrySink } from "#cloud/telemetry/sink";
import type { Database } from "#std/sqlite";
import type { Row } from "#wire/messages";
import { unpack } from "#wire/pack";

type Stored = Kept & Pick<Row, "namespace" | "device">;

const MINUTE_MS = 60_000;

/** A sink that is outside of the cloud's database, as a stream or another server would be: it drops repeats itself. */
export function openMemorySink(db: Database): TelemetrySink {
  const names = new Map<string, string[]>();
  const minutes = new Map<string, Buckets>();
  let kept = new Map<string, Stored>();
  let pruned = 0;

  const inSpan = ({ namespace, device, sinceMs, untilMs }: Span): readonly Stored[] =>
    [...kept.values()]
      .filter((row) => row.namespace === namespace && row.device === device)
      .filter(({ at }) => at >= sinceMs && at <= untilMs)
      .sort((a, b) => a.at - b.at || a.seq - b.seq);

  return {
    isUp: true,
    async [Symbol.asyncDispose]() {},
    get rows() {
      return kept.size;
    },
    get pruned() {
      return pruned;
    },
    async append({ node, epoch, rows, layouts, takenAt }, note) {
      for (const layout of layouts) names.set(layout.id, [...layout.names]);
      for (const { seq, at, namespace, device, body, layout } of rows) {
        const key = `${node} ${epoch} ${seq}`;
        if (kept.has(key)) continue;
        const known = layout === undefined ? undefined : names.get(layout);
        const parsed = known ? unpack({ id: "", names: known }, at, body) : JSON.parse(body);
        kept.set(key, { node, epoch, seq, at, takenAt, namespace, device, body: parsed });
        const whole = minutes.get(`${namespace}/${device}`) ?? new Buckets(MINUTE_MS);
        minutes.set(`${namespace}/${device}`, whole);
        for (const [property, value] of goodValues(parsed, [])) whole.add(property, at, value);
      }
      await db.commit(note);
    },
    query: async (span, limit) => inSpan(span).slice(-limit),
    async *scan(span) {
      yield* inSpan(span);
    },
    async summarize(span, everyMs, properties): Promise<readonly Bucket[]> {
      const buckets = new Buckets(everyMs);
      if (everyMs % MINUTE_MS === 0)
        for (const [property, at, sums] of minutes.get(`${span.namespace}/${span.device}`)?.sums() ?? [])
          buckets.merge(property, at, sums);
      else
        for (const { at, body } of inSpan(span))
          for (const [property, value] of goodValues(body, properties)) buckets.add(property, at, value);
      return buckets.all();
    },
    async prune({ keepMs, keepMinutesMs = keepMs }, nowMs) {
      const left = [...kept].filter(([, { takenAt }]) => takenAt >= nowMs - keepMs);
      pruned += kept.size - left.length;
      kept = new Map(left);
      for (const [key, buckets] of minutes) {
        const young = new Buckets(MINUTE_MS);
        for (const [property, at, sums] of buckets.sums())
          if (at >= nowMs - keepMinutesMs) young.merge(property, at, sums);
        minutes.set(key, young);
      }
    },
  };
}
