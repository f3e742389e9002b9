/** A file of files in the format that `tar tf` lists. **Source:** POSIX.1-2024, pax, section "ustar Interchange Format". */
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Fault } from "./fault.ts";

const BLOCK = 512;
const NAME_BYTES = 100;
const LARGEST = 8 ** 11 - 1;
const CHUNK = 256 * 1024;

/** A file to put in: its name in the archive and where it is, or its text. */
export interface Packed {
  readonly name: string;
  readonly from: { readonly path: string } | { readonly text: string };
}

/** Writes an archive that its user alone can read; it is whole on disk when this resolves. */
export async function writeTar(path: string, files: readonly Packed[]): Promise<void> {
  await using out = await open(path, "wx", 0o600);
  for (const { name, from } of files) {
    const bytes = "text" in from ? Buffer.from(from.text) : undefined;
    const size = bytes?.length ?? (await sizeOf(from as { path: string }));
    await out.write(header(name, size));
    if (bytes) await out.write(bytes);
    else for await (const chunk of createReadStream((from as { path: string }).path)) await out.write(chunk as Buffer);
    await out.write(Buffer.alloc(-size & (BLOCK - 1)));
  }
  await out.write(Buffer.alloc(2 * BLOCK));
  await out.sync();
}

/** One file of an archive. Read it before the next one is asked for. */
export interface Unpacked {
  readonly name: string;
  readonly size: number;
  /** Its bytes, in pieces. */
  bytes(): AsyncIterable<Buffer>;
}

/** Reads an archive, file by file. @throws {Fault} `CONFIG_INVALID` when it is none, or was cut off. */
export async function* readTar(path: string): AsyncGenerator<Unpacked> {
  await using input = await open(path, "r");
  for (let at = 0; ; ) {
    const block = await readBlock(input, at, path);
    if (block.every((byte) => byte === 0)) return;
    const name = textAt(block, 0, NAME_BYTES);
    const size = Number.parseInt(textAt(block, 124, 12), 8);
    if (Number.parseInt(textAt(block, 148, 8), 8) !== checksum(block) || !Number.isSafeInteger(size))
      throw new Fault("CONFIG_INVALID", `${path} is no archive, or was damaged at byte ${at}`);
    const begin = at + BLOCK;
    yield { name, size, bytes: () => piecesOf(input, begin, size, path) };
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
}

async function* piecesOf(input: FileHandle, begin: number, size: number, path: string): AsyncGenerator<Buffer> {
  for (let done = 0; done < size; ) {
    const { bytesRead, buffer } = await input.read(
      Buffer.alloc(Math.min(CHUNK, size - done)),
      0,
      undefined,
      begin + done,
    );
    if (bytesRead === 0) throw cutOff(path);
    done += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function readBlock(input: FileHandle, at: number, path: string): Promise<Buffer> {
  const { bytesRead, buffer } = await input.read(Buffer.alloc(BLOCK), 0, BLOCK, at);
  if (bytesRead < BLOCK) throw cutOff(path);
  return buffer;
}

async function sizeOf({ path }: { readonly path: string }): Promise<number> {
  await using file = await open(path, "r");
  return (await file.stat()).size;
}

function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(name) > NAME_BYTES || size > LARGEST)
    throw new Fault("CONFIG_INVALID", `${name} of ${size} bytes does not fit an archive`);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), at, "ascii");
  block.write(name, 0);
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write("0", 156);
  block.write("ustar\u000000", 257, "latin1");
  octal(checksum(block), 148, 7);
  return block;
}

/** Sum of all bytes, those of the sum itself taken as spaces. */
function checksum(block: Buffer): number {
  return block.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0);
}

function textAt(block: Buffer, at: number, length: number): string {
  return (
    block
      .toString("utf8", at, at + length)
      .replace(/[\0 ]+$/, "")
      .split("\0")[0] ?? ""
  );
}

function cutOff(path: string): Fault {
  return new Fault("CONFIG_INVALID", `${path} ends in the middle`);
}
