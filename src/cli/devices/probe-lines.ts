/** What a probe found, for a terminal. Pure. */
import type { Decoding, Match, ProbeResult, ProbeRow } from "#drivers/modbus/probe";
import { table } from "../table.ts";

/** The decodings that stand side by side; `--all` and `-o json` have the others too. */
const COLUMNS = ["int16", "uint16", "int32", "int32 ↔", "uint32", "float32", "float32 ↔"] as const;
const MOST_MATCHES = 10;
/** Numbers with more digits than that are noise to the eye. */
const DIGITS = 6;

/** The lines: a row for each register, a star at what gives the expected number, and the matches below. */
export function probeLines({ rows, matches }: ProbeResult, expect: number | undefined): readonly string[] {
  const isBits = rows.some(({ decodings }) => decodings[0]?.format.type === "bool");
  const columns = isBits ? ["bool"] : COLUMNS;
  const lines = rows.map((row) => {
    const cells = columns.map((column) => cellOf(row, column, matches));
    return [String(row.register), row.hex ?? "-", ...(row.hex === undefined ? [] : cells)];
  });
  const head = ["REGISTER", "HEX", ...columns.map((column) => column.toUpperCase())];
  const refused = rows.filter(({ hex }) => hex === undefined);
  return [
    ...table(head, lines),
    ...(isBits ? [] : ["↔ the register with the low bits comes first (words: little)"]),
    ...refused.slice(0, 3).map(({ register, error }) => `${register}: ${error ?? "refused"}`),
    ...(refused.length > 3 ? [`and ${refused.length - 3} more registers are refused`] : []),
    ...(expect === undefined ? [] : ["", ...matchLines(matches, expect)]),
  ];
}

/** Every decoding of every register, one in a line. */
export function allLines({ rows }: ProbeResult): readonly string[] {
  const cells = rows.flatMap(({ register, hex = "-", decodings }) =>
    decodings.map(({ format: { type, words, bytes, byte }, value }) => [
      String(register),
      hex,
      byte === undefined ? type : `${type} ${byte}`,
      words,
      bytes,
      shown(value),
    ]),
  );
  return table(["REGISTER", "HEX", "TYPE", "WORDS", "BYTES", "VALUE"], cells);
}

function matchLines(matches: readonly Match[], expect: number): readonly string[] {
  if (matches.length === 0) return [`nothing gives ${expect}: try another table, more registers, or the raw number`];
  const rows = matches
    .slice(0, MOST_MATCHES)
    .map(({ register, format, scale, value }, i) => [
      i === 0 ? "*" : "",
      String(value),
      `address: ${addressOf(register, format)}`,
      scale === 1 ? "" : `scale: ${scale}`,
    ]);
  const more = matches.length - MOST_MATCHES;
  return [
    `what gives ${expect}, the likeliest first:`,
    ...table(["", "VALUE", "IN THE MODEL", ""], rows),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

/** The address of a property, without its table, as one writes it in YAML; what is standard is left out. */
function addressOf(register: number, { type, words, bytes, byte }: Match["format"]): string {
  const rest = [
    ...(words === "big" ? [] : ["words: little"]),
    ...(bytes === "big" ? [] : ["bytes: little"]),
    ...(byte === undefined ? [] : [`byte: ${byte}`]),
  ];
  return `{ ${[`register: ${register}`, `type: ${type}`, ...rest].join(", ")} }`;
}

function cellOf({ register, decodings }: ProbeRow, column: string, matches: readonly Match[]): string {
  const found = decodings.find(({ format }) => format.bytes === "big" && nameOf(format) === column);
  if (!found) return "";
  const isMatch = matches.some((it) => it.register === register && isSame(it.format, found.format));
  return `${shown(found.value)}${isMatch ? " *" : ""}`;
}

function nameOf({ type, words }: Decoding["format"]): string {
  return words === "little" ? `${type} ↔` : type;
}

function isSame(a: Match["format"], b: Match["format"]): boolean {
  return a.type === b.type && a.words === b.words && a.bytes === b.bytes && a.byte === b.byte;
}

function shown(value: Decoding["value"]): string {
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(DIGITS)));
}
