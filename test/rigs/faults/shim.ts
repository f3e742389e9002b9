/** Faults of the disk, the network and the clock for a real process, on demand: the TypeScript side of `shim.c`. */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Bits of the calls that a rule is about; `send` is for sockets, the others are for files. */
const ops = { write: 1, sync: 2, send: 4, open: 8 } as const;
const actions = ["count", "kill before", "kill after", "fail", "delay", "short"] as const;

/** What happens to calls on files whose path contains `match`, or on sockets with `tcp:PORT` at one end. */
export interface Rule {
  readonly op: keyof typeof ops;
  readonly match: string;
  readonly action: (typeof actions)[number];
  /** The n-th call since the process started, counted from 1. @default every call */
  readonly at?: number;
  /** With a kill: what was written and not synced is gone, as after a power cut. */
  readonly cut?: boolean;
  /** With `fail`. */
  readonly error?: "EIO" | "ENOSPC" | "EACCES" | "EROFS";
  /** With `delay`. */
  readonly delayMs?: number;
}

/** What a process that is started with `env` meets; rules can change while it runs. */
export interface Shim {
  readonly env: Readonly<Record<string, string>>;
  /** Takes the place of all rules before, and counts from 0. */
  set(...rules: readonly Rule[]): void;
  /** Calls that the rule at this place has seen. */
  count(index: number): number;
  /** Times that the rule at this place did something. */
  hits(index: number): number;
  /** Moves the wall clock of the process, and only that. */
  shiftClock(ms: number): void;
}

const RULE_BYTES = 128;
const RULES = 8;

/** Why there can be no shim on this machine; undefined when there can. */
export function whyNoShim(): string | undefined {
  if (process.platform !== "linux") return `faults of the disk need Linux, this is ${process.platform}`;
  if (spawnSync("cc", ["--version"]).status !== 0) return "faults of the disk need a C compiler named cc";
  // Musl has no 64-bit names beside the others.
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined ? "faults of the disk need glibc" : undefined;
}

/** Compiles the library into a folder. @throws when the compiler does not like it. */
export function compileShim(folder: string): string {
  const library = join(folder, "shim.so");
  const source = fileURLToPath(new URL("./shim.c", import.meta.url));
  const { status, stderr } = spawnSync("cc", ["-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl"]);
  if (status !== 0) throw new Error(`shim.c does not compile: ${stderr}`);
  return library;
}

/** A shim for one process at a time, with its rules in `folder`. @param name - tells the shims of a folder apart. */
export function openShim(folder: string, name: string, { cuts = false } = {}): Shim {
  const path = join(folder, `${name}.shim`);
  const write = (offset: number, bytes: Buffer) => {
    const file = openSync(path, "r+");
    writeSync(file, bytes, 0, bytes.length, offset);
    closeSync(file);
  };
  closeSync(openSync(path, "w"));
  const head = Buffer.alloc(RULE_BYTES);
  head.writeBigInt64LE(cuts ? 1n : 0n, 8);
  write(0, Buffer.concat([head, Buffer.alloc(RULE_BYTES * RULES)]));
  const number = (index: number, at: number) =>
    Number(readFileSync(path).readBigUInt64LE((index + 1) * RULE_BYTES + at));
  return {
    env: { LD_PRELOAD: join(folder, "shim.so"), SHIM_CONTROL: path },
    set: (...rules) =>
      write(RULE_BYTES, Buffer.concat([...rules.map(encode), Buffer.alloc(RULE_BYTES * RULES)], RULE_BYTES * RULES)),
    count: (index) => number(index, 24),
    hits: (index) => number(index, 32),
    shiftClock(ms) {
      const offset = Buffer.alloc(8);
      offset.writeBigInt64LE(BigInt(ms));
      write(0, offset);
    },
  };
}

function encode({ op, match, action, at = 0, cut = false, error = "EIO", delayMs }: Rule): Buffer {
  const bytes = Buffer.alloc(RULE_BYTES);
  bytes.writeUInt32LE(ops[op], 0);
  bytes.writeUInt32LE(actions.indexOf(action), 4);
  bytes.writeUInt32LE(delayMs ?? constants.errno[error], 8);
  bytes.writeUInt32LE(cut ? 1 : 0, 12);
  bytes.writeBigUInt64LE(BigInt(at), 16);
  // Ports end with a space there, so that tcp:188 is not a part of tcp:1883.
  if (bytes.write(/^tcp:\d/.test(match) ? `${match} ` : match, 40) > 87)
    throw new Error(`${match} is too long for a rule`);
  return bytes;
}
