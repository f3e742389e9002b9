/**
 * Prints what is derived into the drivers' READMEs, between `<!-- begin x -->` and `<!-- end x -->`: the tables of link,
 * station and address from their schemas, and the source of the virtual driver. Run: `node scripts/driver-docs.ts`.
 */
import { readFile, writeFile } from "node:fs/promises";
import { drivers } from "#drivers/index";
import { type Schema, z } from "#std/schema";

const folder = new URL("../drivers/", import.meta.url);

/** Every README of a driver and the one of the folder: where it is, what it says, what it should say. */
export async function driverDocs(): Promise<readonly { file: URL; text: string; fresh: string }[]> {
  const source = await readFile(new URL("virtual/index.ts", folder), "utf8");
  const docs = [await derive(new URL("README.md", folder), { source: fence(source) })];
  for (const [protocol, load] of Object.entries(drivers)) {
    const { link, station, address } = await load();
    const tables = { link: tableOf(link), station: tableOf(station), address: tableOf(address) };
    docs.push(await derive(new URL(`${protocol}/README.md`, folder), tables));
  }
  return docs;
}

async function derive(file: URL, parts: Readonly<Record<string, string>>) {
  const text = await readFile(file, "utf8");
  const fresh = Object.entries(parts).reduce((text, [name, part]) => {
    const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
    const [before, rest] = cut(text, begin, file);
    const [, after] = cut(rest, end, file);
    return `${before}${begin}\n\n${part}\n\n${end}${after}`;
  }, text);
  return { file, text, fresh };
}

function cut(text: string, marker: string, file: URL): readonly [string, string] {
  const at = text.indexOf(marker);
  if (at < 0) throw new Error(`${file.pathname} has no ${marker}`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}

function fence(source: string): string {
  return `\`\`\`ts\n${source.trimEnd()}\n\`\`\``;
}

/** The part of JSON Schema that our link, station and address schemas use. */
interface Shape {
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly oneOf?: readonly Shape[];
  readonly anyOf?: readonly Shape[];
}

/** One table per shape that the schema allows. */
function tableOf(schema: Schema<unknown>): string {
  const shape = z.toJSONSchema(schema, { io: "input" }) as Shape;
  return (shape.oneOf ?? shape.anyOf ?? [shape]).map(rowsOf).join("\n\nor\n\n");
}

function rowsOf({ properties = {}, required = [] }: Shape): string {
  const rows = Object.entries(properties).map(([name, shape]) => [
    `\`${name}\``,
    typeOf(shape),
    "default" in shape ? `\`${JSON.stringify(shape.default)}\`` : required.includes(name) ? "required" : "",
    shape.description ?? "",
  ]);
  return align([["field", "type", "default", "meaning"], ...rows]);
}

/** A Markdown table as the formatter wants it, so that formatting and printing agree. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

function typeOf(shape: Shape): string {
  if (shape.enum) return shape.enum.map((one) => `\`${one}\``).join(", ");
  if (shape.pattern?.includes("ms|s|m|h|d")) return "duration";
  const type = [shape.type ?? "any"].flat().join(" or ");
  const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = shape;
  return minimum === Number.MIN_SAFE_INTEGER && maximum === Number.MAX_SAFE_INTEGER
    ? type
    : `${type}, ${minimum} to ${maximum}`;
}

if (import.meta.main) {
  for (const { file, text, fresh } of await driverDocs()) {
    if (text === fresh) continue;
    await writeFile(file, fresh);
    console.log(`refreshed ${file.pathname}`);
  }
}
