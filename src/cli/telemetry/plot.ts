/** A value at a time. */
export interface Point {
  readonly at: number;
  readonly value: number;
}

export interface PlotOptions {
  /** The span that the plot shows; milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Characters of the whole picture. */
  readonly columns: number;
  readonly rows: number;
  /** Printed above the value axis. */
  readonly title: string;
  /** Without it only characters of ASCII are used, which every terminal and printer shows. */
  readonly isUnicode: boolean;
}

/** Dots of a Braille pattern by column and row. **Source:** Unicode 16.0, block Braille Patterns, U+2800. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;
const BRAILLE = 0x2800;
const LEAST_COLUMNS = 20;

/** Draws points as lines of text: a value axis on the left, times below. Colour says nothing, so there is none. */
export function plot(points: readonly Point[], options: PlotOptions): readonly string[] {
  const { sinceMs, untilMs, title, isUnicode } = options;
  const scale = scaleOf(
    points.map(({ value }) => value),
    Math.max(2, Math.floor(options.rows / 3)),
  );
  const labels = scale.ticks.map((tick) => tick.toFixed(scale.decimals));
  const margin = Math.max(...labels.map(({ length }) => length));
  const width = Math.max(LEAST_COLUMNS, options.columns - margin - 2);
  const rows = Math.max(3, options.rows);
  const [across, down] = isUnicode ? [2, 4] : [1, 1];
  const grid = Array.from({ length: rows }, () => new Uint8Array(width));
  const spanMs = Math.max(1, untilMs - sinceMs);
  const xOf = (at: number) => clamp(((at - sinceMs) / spanMs) * (width * across - 1), width * across - 1);
  const yOf = (value: number) =>
    clamp(((scale.top - value) / (scale.top - scale.bottom)) * (rows * down - 1), rows * down - 1);
  const dot = (x: number, y: number) => {
    const row = grid[Math.floor(y / down)];
    const cell = Math.floor(x / across);
    if (row) row[cell] = (row[cell] ?? 0) | (DOTS[x % across]?.[y % down] ?? 1);
  };
  for (const [i, point] of points.entries()) {
    const before = points[i - 1];
    const [x, y] = [xOf(point.at), yOf(point.value)];
    dot(x, y);
    // Neighbours are joined; across a hole of more than a tenth of the picture nobody knows what was.
    if (before && x - xOf(before.at) <= (width * across) / 10) join([xOf(before.at), yOf(before.value)], [x, y], dot);
  }
  const ticks = new Map(scale.ticks.map((tick, i) => [Math.floor(yOf(tick) / down), labels[i] ?? ""]));
  const [wall, tee, corner, floor] = isUnicode ? ["│", "┤", "└", "─"] : ["|", "+", "+", "-"];
  const body = grid.map((cells, i) => {
    const label = ticks.get(i);
    const drawn = [...cells].map((dots) => (dots === 0 ? " " : isUnicode ? String.fromCodePoint(BRAILLE + dots) : "*"));
    return `${(label ?? "").padStart(margin)} ${label === undefined ? wall : tee}${drawn.join("")}`.trimEnd();
  });
  const pad = " ".repeat(margin + 1);
  return [title, ...body, `${pad}${corner}${floor?.repeat(width)}`, `${pad} ${times(sinceMs, untilMs, width)}`];
}

/** A scale that holds all values, with ticks at round numbers. */
export function scaleOf(values: readonly number[], most: number) {
  const [least, greatest] = values.reduce<readonly [number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const [low, high] = least > greatest ? [0, 1] : least === greatest ? [least - 0.5, least + 0.5] : [least, greatest];
  const step = roundStep((high - low) / most);
  const bottom = Math.floor(low / step) * step;
  const top = Math.max(Math.ceil(high / step) * step, bottom + step);
  const ticks = Array.from({ length: Math.round((top - bottom) / step) + 1 }, (_, i) => bottom + i * step);
  return { bottom, top, ticks, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/** The next larger of 1, 2, 5 times a power of ten. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((step) => step * power >= least * (1 - 1e-9)) ?? 10) * power;
}

/** Dots between two dots: in every column, and in every row when the line is steep. */
function join(
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
  dot: (x: number, y: number) => void,
) {
  const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0));
  for (let i = 1; i < steps; i++)
    dot(Math.round(x0 + ((x1 - x0) * i) / steps), Math.round(y0 + ((y1 - y0) * i) / steps));
}

/** Begin, middle and end of the span, in the reader's own time, under the axis. */
function times(sinceMs: number, untilMs: number, width: number): string {
  const [begin, middle, end] = [sinceMs, (sinceMs + untilMs) / 2, untilMs].map((ms) => timeOf(ms, untilMs - sinceMs));
  const left = Math.max(1, Math.floor((width - (middle?.length ?? 0)) / 2) - (begin?.length ?? 0));
  const text = `${begin}${" ".repeat(left)}${middle}`;
  return `${text}${" ".repeat(Math.max(1, width - text.length - (end?.length ?? 0)))}${end}`.slice(0, width);
}

const DAY_MS = 86_400_000;

function timeOf(ms: number, spanMs: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (spanMs > DAY_MS) return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
  return spanMs > 600_000 ? clock : `${clock}:${two(date.getSeconds())}`;
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, Math.round(value)));
}
