import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";

/** How a text lies in its registers. */
export interface TextFormat {
  readonly words: number;
  /** Whether the two bytes of each register are swapped. */
  readonly swapped: boolean;
  readonly encoding: "utf8" | "latin1" | "ascii";
  readonly pad: "nul" | "space";
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Chooses how a text is read. What it returns throws `ANSWER_INVALID` for bytes that are not of its encoding. */
export function textDecoder({ words, swapped, encoding, pad }: TextFormat): (view: DataView, offset: number) => string {
  const bytes = Buffer.alloc(words * 2);
  return (view, offset) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = view.getUint8(offset + (swapped ? i ^ 1 : i));
    const end = bytes.indexOf(0);
    const text = decoded(end < 0 ? bytes : bytes.subarray(0, end), encoding);
    return pad === "space" ? text.trimEnd() : text;
  };
}

function decoded(bytes: Buffer, encoding: TextFormat["encoding"]): string {
  if (encoding === "latin1") return bytes.toString("latin1");
  if (encoding === "ascii" && bytes.some((byte) => byte > 0x7f)) throw invalid(bytes, "ASCII");
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw invalid(bytes, "UTF-8", cause);
  }
}

function invalid(bytes: Buffer, what: string, cause?: unknown): Fault {
  return new Fault("ANSWER_INVALID", `${bytes.toString("hex")} is a text that is not ${what}`, { cause });
}

/** The registers that hold a text. @throws {Fault} `VALUE_INVALID` when it does not fit or has no such characters. */
export function textWords(raw: Raw, { words, swapped, encoding, pad }: TextFormat): readonly number[] {
  if (typeof raw !== "string") throw new Fault("VALUE_INVALID", `string takes a text, not a ${typeof raw}`);
  const bytes = Buffer.from(raw, encoding === "utf8" ? "utf8" : "latin1");
  const highest = encoding === "ascii" ? 0x7f : 0xff;
  if (encoding !== "utf8" && [...raw].some((character) => (character.codePointAt(0) ?? 0) > highest)) {
    throw new Fault("VALUE_INVALID", `"${raw}" has characters that ${encoding} does not have`);
  }
  if (bytes.includes(0)) throw new Fault("VALUE_INVALID", "a text may not contain NUL, which ends it in the device");
  if (bytes.length > words * 2) {
    throw new Fault(
      "VALUE_INVALID",
      `a text of ${bytes.length} bytes does not fit ${words} registers (${words * 2} bytes)`,
    );
  }
  const filler = pad === "space" ? 0x20 : 0;
  const byte = (i: number) => bytes[swapped ? i ^ 1 : i] ?? filler;
  return Array.from({ length: words }, (_, i) => (byte(2 * i) << 8) | byte(2 * i + 1));
}
