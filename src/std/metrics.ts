import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry } from "prom-client";

/** Values for the label names of a metric. */
export type Labels<L extends string> = { readonly [name in L]: string };

/** Counts what happened; never goes back. */
export interface Counter<L extends string> {
  /** @param amount - how much more, 1 when it is left out. */
  add(labels: Labels<L>, amount?: number): void;
}

/** Counts how often a quantity fell into each of its buckets. */
export interface Histogram<L extends string> {
  observe(labels: Labels<L>, value: number): void;
}

/** One value of a metric with labels. */
export interface Sample<L extends string> {
  readonly labels: Labels<L>;
  readonly value: number;
}

/** The metrics of one role, in a registry of its own: two roles in one process do not mix. */
export interface Metrics {
  /** Counters begin at 0 when they have no labels; with labels, at the first `add`. */
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  /** A counter that somebody else keeps; `read` is called when somebody asks. */
  total(name: string, help: string, read: () => number): void;
  /** The same with labels; what `read` does not name is gone. */
  totals<L extends string>(name: string, help: string, labels: readonly L[], read: () => Iterable<Sample<L>>): void;
  /** A level. `read` is called when somebody asks, so nobody has to keep it up to date. */
  gauge(name: string, help: string, read: () => number): void;
  /** The same level of several things; what `read` does not name is gone. */
  gauges<L extends string>(name: string, help: string, labels: readonly L[], read: () => Iterable<Sample<L>>): void;
  /** @param buckets - upper bounds, ascending. */
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): Histogram<L>;
  /** Everything as text. **Source:** Prometheus exposition formats, text format 0.0.4. */
  text(): Promise<string>;
  /** Content type of that text. */
  readonly contentType: string;
}

/** Opens an empty set of metrics. */
export function openMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    counter<L extends string>(name: string, help: string, labels: readonly L[] = []) {
      const counter = new PromCounter<L>({ name, help, labelNames: labels, registers });
      return { add: (values: Labels<L>, amount = 1) => counter.inc(values, amount) };
    },
    total(name, help, read) {
      new PromCounter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    },
    totals<L extends string>(name: string, help: string, labels: readonly L[], read: () => Iterable<Sample<L>>) {
      new PromCounter<L>({
        name,
        help,
        labelNames: labels,
        registers,
        collect() {
          this.reset();
          for (const { labels, value } of read()) this.inc(labels, value);
        },
      });
    },
    gauge(name, help, read) {
      new PromGauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    gauges<L extends string>(name: string, help: string, labels: readonly L[], read: () => Iterable<Sample<L>>) {
      new PromGauge<L>({
        name,
        help,
        labelNames: labels,
        registers,
        collect() {
          this.reset();
          for (const { labels, value } of read()) this.set(labels, value);
        },
      });
    },
    histogram<L extends string>(name: string, help: string, buckets: readonly number[], labels: readonly L[] = []) {
      const histogram = new PromHistogram<L>({ name, help, labelNames: labels, buckets: [...buckets], registers });
      return { observe: (values: Labels<L>, value: number) => histogram.observe(values, value) };
    },
  };
}
