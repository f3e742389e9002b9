/** What is in a data directory and in a backup of it. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";
import { copyDatabase, isHeld } from "#std/sqlite";
import { type Packed, readTar, writeTar } from "#std/tar";

const manifest = z.strictObject({
  version: z.literal(1),
  createdAt: z.number(),
  files: z.array(z.strictObject({ name: z.string().regex(/^[\w.-]+(\/[\w.-]+)*$/), sha256: z.string() })),
});
type Manifest = z.infer<typeof manifest>;

const MANIFEST = "manifest.json";
/** Databases of which a folder has at least one when it is a data directory. */
const SIGNS = /^(edge|cloud|registry)\.db$/;
/** What belongs to the process that runs, or can be done without. */
const LEFT_OUT = /(-wal|-shm|\.lock|\.pid|\.log|\.new|\.corrupt-.*)$/;

/** Names of the files of a data directory that belong into a backup. @throws {Fault} `CONFIG_INVALID` when it is none. */
function filesOf(dataDir: string): readonly string[] {
  const all = existsSync(dataDir) ? readdirSync(dataDir, { recursive: true, withFileTypes: true }) : [];
  const files = all.filter((it) => it.isFile() && !LEFT_OUT.test(it.name));
  if (!files.some(({ name }) => SIGNS.test(name)))
    throw new Fault("CONFIG_INVALID", `${dataDir} is no data directory of a node or a cloud`, {
      hint: "Name it with --data-dir.",
    });
  return files.map(({ parentPath, name }) => relative(dataDir, join(parentPath, name))).sort();
}

/** Writes a backup; databases are each as they were at one moment. Returns how many files are in it. */
export async function pack(dataDir: string, file: string, nowMs: number): Promise<number> {
  if (existsSync(file)) throw new Fault("USAGE_INVALID", `${file} is there already`, { hint: "Name another --file." });
  const names = filesOf(dataDir);
  const copies = `${file}.parts`;
  mkdirSync(copies, { recursive: true, mode: 0o700 });
  try {
    const packed: Packed[] = [];
    const files: Manifest["files"] = [];
    for (const [i, name] of names.entries()) {
      const isDatabase = name.endsWith(".db");
      const path = isDatabase ? join(copies, `${i}.db`) : join(dataDir, name);
      if (isDatabase) await copyDatabase(join(dataDir, name), path);
      packed.push({ name, from: { path } });
      files.push({ name, sha256: await hashOf(createReadStream(path)) });
    }
    const head: Manifest = { version: 1, createdAt: nowMs, files };
    // Written beside and renamed: a file of that name is whole.
    rmSync(`${file}.new`, { force: true });
    await writeTar(`${file}.new`, [{ name: MANIFEST, from: { text: JSON.stringify(head, null, 2) } }, ...packed]);
    renameSync(`${file}.new`, file);
  } finally {
    rmSync(copies, { recursive: true, force: true });
  }
  return names.length;
}

/**
 * Unpacks a backup into a folder that is not there yet or is empty; each file is compared with its hash.
 * @throws {Fault} `CONFIG_INVALID` when it is no whole backup; then the folder is as it was.
 */
export async function unpack(
  file: string,
  dataDir: string,
): Promise<{ readonly names: readonly string[]; readonly createdAt: number }> {
  const fresh = `${dataDir}.restoring`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true, mode: 0o700 });
  try {
    let head: Manifest | undefined;
    const names: string[] = [];
    for await (const { name, bytes } of readTar(file)) {
      if (!head) {
        head = await manifestOf(file, name, bytes());
        continue;
      }
      const expected = head.files.find((it) => it.name === name);
      if (!expected) throw new Fault("CONFIG_INVALID", `${file}: ${name} is not in its manifest`);
      const path = join(fresh, name);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      await pipeline(bytes(), createWriteStream(path, { mode: 0o600, flush: true }));
      if ((await hashOf(createReadStream(path))) !== expected.sha256)
        throw new Fault("CONFIG_INVALID", `${file}: ${name} was damaged`);
      names.push(name);
    }
    if (!head || names.length < head.files.length) throw new Fault("CONFIG_INVALID", `${file} is not whole`);
    rmSync(dataDir, { recursive: true, force: true });
    renameSync(fresh, dataDir);
    return { names, createdAt: head.createdAt };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** The database in a folder that a process has open, if there is one. */
export function heldDatabase(dataDir: string): string | undefined {
  if (!existsSync(dataDir)) return undefined;
  const names = readdirSync(dataDir, { recursive: true }).map(String);
  return names.find((name) => name.endsWith(".db") && isHeld(join(dataDir, name)));
}

async function manifestOf(file: string, name: string, bytes: AsyncIterable<Buffer>): Promise<Manifest> {
  const text = await new Response(Readable.toWeb(Readable.from(bytes)) as ReadableStream).text();
  if (name !== MANIFEST) throw new Fault("CONFIG_INVALID", `${file} is no backup of edgeadm`);
  try {
    return parse(manifest, JSON.parse(text), `${file}: ${MANIFEST}`);
  } catch (cause) {
    throw Fault.is(cause) ? cause : new Fault("CONFIG_INVALID", `${file}: ${MANIFEST} is not JSON`, { cause });
  }
}

async function hashOf(bytes: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of bytes) hash.update(piece);
  return hash.digest("hex");
}
