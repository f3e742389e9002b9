/** How the bytes of a line are cut into frames, and how a frame proves that it is whole. */
import { duration } from "#std/duration";
import { z } from "#std/schema";
import { checksumNames } from "../checksum.ts";
import { bytes } from "./text.ts";

const longest = z.int().min(1).max(65_536).default(1_024).describe("Most bytes of a frame; a longer one is dropped.");

const start = bytes().optional().describe("Bytes that every frame begins with; they are part of it and count.");

const delimiter = z.strictObject({
  by: z.literal("delimiter").describe("A frame ends where these bytes come."),
  delimiter: bytes().prefault("\\r\\n").describe("The bytes; they are not part of the frame."),
  longest,
});

const fixed = z.strictObject({
  by: z.literal("fixed").describe("Every frame has the same length."),
  length: z.int().min(1).max(65_536).describe("Bytes of a frame."),
  start,
});

const length = z.strictObject({
  by: z.literal("length").describe("A field says how long the frame is."),
  field: z.int().min(0).max(255).describe("Where the field is: bytes before it."),
  width: z
    .union([z.literal(1), z.literal(2), z.literal(4)])
    .default(1)
    .describe("Bytes of the field."),
  order: z
    .enum(["big", "little"])
    .default("big")
    .describe("Which byte of the field comes first: the high one or the low."),
  adjust: z
    .int()
    .min(-65_536)
    .max(65_536)
    .default(0)
    .describe("Added to the field to give the length of the whole frame."),
  start,
  longest,
});

const silence = z.strictObject({
  by: z.literal("silence").describe("A frame ends when the line is silent for a while."),
  silence: duration(1).prefault("50ms").describe("How long. USB adapters pause for 16 ms themselves, so take more."),
  longest,
});

const marks = z
  .strictObject({
    by: z.literal("marks").describe("A frame stands between two marks."),
    start: bytes().prefault("\\x02").describe("Bytes at its start, such as STX or `$`."),
    end: bytes().prefault("\\x03").describe("Bytes at its end, such as ETX."),
    escape: bytes(1)
      .optional()
      .describe("A byte that takes the meaning of a mark from the byte after it, such as DLE."),
    after: z.int().min(0).max(16).default(0).describe("Bytes that follow the end, such as a checksum."),
    longest,
  })
  .refine(({ start, end }) => start !== end, { path: ["end"], message: "it must differ from the start" });

/** How the stream is cut. */
export const framing = z.discriminatedUnion("by", [delimiter, fixed, length, silence, marks]).transform(tidy);

/** A parsed framing. Marks are Latin-1 text; `start` is empty where there is none. */
export type Framing = ReturnType<typeof tidy>;

type Written =
  | z.output<typeof delimiter>
  | z.output<typeof fixed>
  | z.output<typeof length>
  | z.output<typeof silence>
  | z.output<typeof marks>;

function tidy(written: Written) {
  switch (written.by) {
    case "silence":
      return { by: written.by, silenceMs: written.silence, longest: written.longest };
    case "fixed":
      return { ...written, start: written.start ?? "" };
    case "length":
      return { ...written, start: written.start ?? "" };
    default:
      return written;
  }
}

/** What every frame carries to prove that it is whole. */
export const checksum = z.strictObject({
  name: z.enum(checksumNames).describe("The kind. `crc16-ccitt` begins with FFFF, `crc16-xmodem` with 0."),
  form: z
    .enum(["binary", "hex"])
    .default("binary")
    .describe("As bytes, or as hexadecimal digits in either case; requests carry capitals."),
  order: z.enum(["big", "little"]).default("big").describe("Which byte comes first, when there are several."),
  mark: bytes(4)
    .optional()
    .describe(
      "What stands before the checksum and is not covered, such as `*`. Without it, its length tells where it is.",
    ),
  skip: z
    .int()
    .min(0)
    .max(255)
    .default(0)
    .describe("Bytes at the start of the frame that are not covered, such as STX."),
  tail: z.int().min(0).max(16).default(0).describe("Bytes of the frame that follow the checksum."),
});

export type SumRule = z.output<typeof checksum>;
