/** Guards the plan of the house: who may use whom, one door per package, and what stands nowhere. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";

/** The rooms, from the ground up, and the rooms whose things they may use. */
const rooms: Readonly<Record<string, { readonly at: string; readonly uses: readonly string[] }>> = {
  std: { at: "src/std", uses: [] },
  devices: { at: "src/devices", uses: ["std"] },
  drivers: { at: "drivers", uses: ["std", "devices"] },
  wire: { at: "src/wire", uses: ["std", "devices"] },
  edge: { at: "src/edge", uses: ["std", "devices", "wire"] },
  registry: { at: "src/registry", uses: ["std"] },
  cloud: { at: "src/cloud", uses: ["std", "devices", "wire"] },
  ui: { at: "src/ui", uses: ["devices", "wire"] },
  cli: { at: "src/cli", uses: ["std", "devices", "drivers", "wire", "edge", "registry", "cloud", "ui"] },
};

/** Packages that come in through more than one file, and why. */
const moreDoors: Readonly<Record<string, readonly [files: readonly string[], reason: string]>> = {};

/** Packages that cost an edge tens of megabytes, or a command its quick answer: loaded when first needed. */
const heavy = [
  "node-opcua-client",
  "serialport",
  "@kubernetes/client-node",
  "ssh2",
  "pg",
  "pg-copy-streams",
  "@nats-io/jetstream",
  "@nats-io/transport-node",
  "read-excel-file",
  "write-excel-file",
];

/** Where a certificate may go unchecked, and what vouches instead. */
const unchecked: Readonly<Record<string, string>> = {
  "drivers/modbus/tls.ts": "without an authority the pin of the device's certificate decides, before the first byte",
  "src/registry/http/server.ts": "it asks clients for a certificate; who has none must bring a token instead",
};

const LONGEST_FILE = 400;

interface Import {
  readonly from: string;
  readonly kind: "static" | "type" | "dynamic";
}

interface Source {
  readonly file: string;
  readonly room: string;
  /** Without comments. */
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

const sources = Object.entries(rooms).flatMap(([room, { at }]) => sourcesIn(room, at));

test("there is something to look at", () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(importsOf('import "a";\nimport type { B } from "b";\nexport {\n  c,\n} from "c";\nawait import("d")')).toEqual(
    [
      { from: "a", kind: "static" },
      { from: "b", kind: "type" },
      { from: "c", kind: "static" },
      { from: "d", kind: "dynamic" },
    ],
  );
});

describe.each(Object.keys(rooms))("room %s", (room) => {
  const mine = sources.filter((source) => source.room === room);

  test("uses the rooms below it and no others", () => {
    expect(mine.flatMap(strangers)).toEqual([]);
  });

  test("reaches into itself by ./ and into others by #room/", () => {
    expect(mine.flatMap(shortcuts)).toEqual([]);
  });
});

test("the page takes types from the server's rooms and nothing that runs", () => {
  const runs = sources
    .filter(({ room }) => room === "ui")
    .flatMap(({ file, imports }) =>
      imports.filter(({ from, kind }) => from.startsWith("#") && kind !== "type").map(({ from }) => `${file}: ${from}`),
    );
  expect(runs).toEqual([]);
});

test("no driver knows another", () => {
  const others = sources.flatMap(({ file, room, imports }) => {
    const [, folder] = file.split("/");
    if (room !== "drivers" || file === "drivers/index.ts") return [];
    const targets = imports.map(({ from }) => from).filter((from) => from.startsWith("."));
    return targets
      .filter((from) => join(dirname(file), from).split("/")[1] !== folder)
      .map((from) => `${file}: ${from}`);
  });
  expect(others).toEqual([]);
});

test("each package comes in through one door", () => {
  const doors = new Map<string, Set<string>>();
  for (const { file, imports } of sources)
    for (const { from } of imports) {
      const name = packageOf(from);
      if (name) doors.set(name, (doors.get(name) ?? new Set()).add(file));
    }
  const wide = [...doors].filter(([, files]) => files.size > 1).map(([name, files]) => [name, [...files].sort()]);
  const allowed = Object.entries(moreDoors).map(([name, [files]]) => [name, [...files].sort()]);
  expect(wide).toEqual(allowed);
});

test("every package that is imported is declared", () => {
  const { dependencies = {} } = JSON.parse(readFileSync("package.json", "utf8")) as { dependencies?: object };
  const used = new Set(sources.flatMap(({ imports }) => imports.flatMap(({ from }) => packageOf(from) ?? [])));
  expect([...used].filter((name) => !Object.hasOwn(dependencies, name))).toEqual([]);
});

test("heavy packages are loaded when first needed", () => {
  const early = sources.flatMap(({ file, imports }) =>
    imports
      .filter(({ from, kind }) => kind === "static" && heavy.includes(packageOf(from) ?? ""))
      .map(({ from }) => `${file}: ${from}`),
  );
  expect(early).toEqual([]);
});

test("a certificate goes unchecked only where something else vouches for it", () => {
  expect(filesWith(/rejectUnauthorized\s*[:=]\s*(?!true)|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity/)).toEqual(
    Object.keys(unchecked).sort(),
  );
});

test("only the command line reads the environment", () => {
  expect(filesWith(/process\s*\.\s*env|import\s*\{[^}]*\benv\b[^}]*\}\s*from\s*"node:process"/, "cli")).toEqual([]);
});

test("everything has a name: there is no default export", () => {
  expect(filesWith(/\bexport\s+default\b|\bas default\b/)).toEqual([]);
});

test(`no file is longer than ${LONGEST_FILE} lines`, () => {
  expect(sources.filter(({ lines }) => lines > LONGEST_FILE).map(({ file, lines }) => `${file}: ${lines}`)).toEqual([]);
});

afterAll(() => {
  const lengths = sources.map(({ lines }) => lines).sort((a, b) => a - b);
  const longest = sources.reduce((most, next) => (next.lines > most.lines ? next : most));
  const median = lengths[lengths.length >> 1];
  // biome-ignore lint/suspicious/noConsole: the one place where the sizes are told
  console.log(`${sources.length} files, median ${median} lines, longest ${longest.file} with ${longest.lines}`);
});

function sourcesIn(room: string, at: string): Source[] {
  let names: string[];
  try {
    names = readdirSync(at, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
  return names
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => {
      const file = `${at}/${name}`;
      const whole = readFileSync(file, "utf8");
      const text = whole.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
      return { file, room, text, lines: whole.split("\n").length - 1, imports: importsOf(text) };
    });
}

function importsOf(text: string): readonly Import[] {
  const statement = /^\s*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]*?\sfrom\s*)?"([^"]+)"/gm;
  const written = [...text.matchAll(statement)].map(
    ([, type, from = ""]): Import => ({ from, kind: type ? "type" : "static" }),
  );
  // `typeof import("x")` and `import("x").Y` are types where no value follows; counting them as loads is the safe side.
  const loaded = [...text.matchAll(/\bimport\(\s*["'`]([^"'`]+)["'`]/g)].map(
    ([, from = ""]): Import => ({ from, kind: "dynamic" }),
  );
  return [...written, ...loaded];
}

/** The package of an import; undefined for Node, other rooms and neighbours. */
function packageOf(from: string): string | undefined {
  if (/^(node:|#|\.)/.test(from)) return undefined;
  return from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
}

function strangers({ file, room, imports }: Source): string[] {
  const uses = rooms[room]?.uses ?? [];
  return imports
    .filter(({ from }) => from.startsWith("#") && !uses.includes(from.slice(1).split("/")[0] ?? ""))
    .map(({ from }) => `${file}: ${from}`);
}

function shortcuts({ file, room, imports }: Source): string[] {
  const at = rooms[room]?.at ?? "";
  return imports
    .filter(({ from }) => {
      if (from.startsWith(`#${room}/`)) return true;
      return from.startsWith(".") && relative(at, join(dirname(file), from)).startsWith("..");
    })
    .map(({ from }) => `${file}: ${from}`);
}

function filesWith(pattern: RegExp, exceptRoom?: string): string[] {
  return sources
    .filter(({ room, text }) => room !== exceptRoom && pattern.test(text))
    .map(({ file }) => file)
    .sort();
}
