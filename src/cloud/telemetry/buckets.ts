import type { Value } from "#devices/value";

/** What one property said within a bucket of time. The numbers are undefined when no value was one. */
export interface Bucket {
  /** Begin of the bucket, in milliseconds since the epoch; buckets begin at multiples of their length. */
  readonly at: number;
  readonly property: string;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly avg: number | undefined;
  readonly count: number;
  readonly last: Value;
}

/** What is summed up of a property in a bucket. Sums of two parts make the sum of the whole. */
export interface Sums {
  count: number;
  /** Values that were numbers, and their sum. */
  numbers: number;
  sum: number;
  min: number;
  max: number;
  last: Value;
  lastAt: number;
}

/** Gathers values by property and time. Owned by one task; the hot loops of queries and rollups run here. */
export class Buckets {
  readonly #everyMs: number;
  readonly #byProperty = new Map<string, Map<number, Sums>>();

  /** @param everyMs - length of a bucket. */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** Adds one value. */
  add(property: string, at: number, value: Value): void {
    const isNumber = typeof value === "number";
    const [numbers, sum] = isNumber ? [1, value] : [0, 0];
    const [min, max] = isNumber ? [value, value] : [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    this.merge(property, at, { count: 1, numbers, sum, min, max, last: value, lastAt: at });
  }

  /** Adds what was summed up before. */
  merge(property: string, at: number, sums: Sums): void {
    const begin = Math.floor(at / this.#everyMs) * this.#everyMs;
    const buckets = this.#byProperty.get(property) ?? new Map<number, Sums>();
    if (buckets.size === 0) this.#byProperty.set(property, buckets);
    const known = buckets.get(begin);
    if (!known) return void buckets.set(begin, { ...sums });
    known.count += sums.count;
    known.numbers += sums.numbers;
    known.sum += sums.sum;
    known.min = Math.min(known.min, sums.min);
    known.max = Math.max(known.max, sums.max);
    if (sums.lastAt < known.lastAt) return;
    known.last = sums.last;
    known.lastAt = sums.lastAt;
  }

  /** All sums, in no particular order. */
  *sums(): Iterable<readonly [property: string, at: number, sums: Sums]> {
    for (const [property, buckets] of this.#byProperty) for (const [at, sums] of buckets) yield [property, at, sums];
  }

  /** The buckets by time, and by property within one time. */
  all(): readonly Bucket[] {
    return [...this.sums()]
      .map(([property, at, { count, numbers, sum, min, max, last }]) => {
        const [least, most, avg] = numbers > 0 ? [min, max, sum / numbers] : [undefined, undefined, undefined];
        return { at, property, min: least, max: most, avg, count, last };
      })
      .sort((a, b) => a.at - b.at || (a.property < b.property ? -1 : 1));
  }
}

/** The values of a message that are good; all of them, or those of some properties. */
export function* goodValues(body: unknown, properties: readonly string[]): Iterable<readonly [string, Value]> {
  if (typeof body !== "object" || body === null || !("values" in body)) return;
  // As a node wrote them: nobody has looked at them before.
  const { values, bad } = body as {
    values: Readonly<Record<string, Value>> | null;
    bad?: Readonly<Record<string, string>> | null;
  };
  for (const [name, value] of Object.entries(values ?? {})) {
    if (value === null || Object.hasOwn(bad ?? {}, name)) continue;
    if (properties.length === 0 || properties.includes(name)) yield [name, value];
  }
}
