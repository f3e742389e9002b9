/** Where one property stands in what a device sends, and how it is asked for and written. */
import { z } from "#std/schema";
import { bytes, pattern, template } from "./text.ts";

const binary = [
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "bit",
] as const;

/** `address` of a property. */
export const address = z
  .strictObject({
    prefix: bytes(64).optional().describe("Text that the frame begins with which has the value."),
    frame: pattern().optional().describe("Regular expression of the frame which has the value."),
    regex: pattern("value").optional().describe("Takes what the group `(?<value>...)` matches."),
    column: z.int().min(0).max(999).optional().describe("Takes one column, counted from 0."),
    separator: bytes(4).prefault(",").describe("What separates columns."),
    json: z
      .string()
      .regex(/^[A-Za-z_$][\w$]*(?:\[\d+\]|\.[A-Za-z_$][\w$]*)*$/, "keys and indices, such as a.b[0].c")
      .optional()
      .describe("Takes one value of a frame that is JSON, such as `sensors[0].t`."),
    offset: z.int().min(0).max(65_535).optional().describe("Takes bytes: how many are before them."),
    length: z.int().min(1).max(1_024).optional().describe("How many bytes. For `offset` with `number` or `text`."),
    type: z
      .enum(["number", "text", "degrees", ...binary])
      .default("number")
      .describe(
        "What it is: `number` and `text` in characters, `degrees` as ddmm.mmmm with the hemisphere in the next column " +
          "or in the group `(?<hemisphere>...)`; the others are the bytes at `offset`.",
      ),
    order: z
      .enum(["big", "little"])
      .default("big")
      .describe("Which byte of a binary number comes first: the high or the low."),
    bit: z.int().min(0).max(7).optional().describe("Which bit of the byte, 0 being the lowest. For `bit` alone."),
    base: z.int().min(2).max(36).default(10).describe("Base of the digits of a `number`, such as 16."),
    decimal: z.enum([".", ","]).default(".").describe("Decimal mark of a `number`."),
    map: z
      .record(z.string().max(64), z.union([z.boolean(), z.number(), z.string()]))
      .optional()
      .describe("What the texts mean, such as `{ A: true, V: false }`; it works for writing too. Others are invalid."),
    doubtful: pattern().optional().describe("A frame that matches calls its own value uncertain."),
    request: template(false).optional().describe("Asks for it. Properties with equal requests share an answer."),
    write: template(true)
      .optional()
      .describe(
        "Writes it: `{value}` stands for the value, `{value:.2}` with two decimals, `{value:06.1}` in six characters.",
      ),
    answer: pattern().optional().describe("The answer that confirms a write. Without it, the next reading shows."),
  })
  .superRefine((address, context) => {
    const { regex, column, json, offset, length, type, bit, write, answer } = address;
    const wrong = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    const ways = [regex, column, json, offset].filter((way) => way !== undefined).length;
    if (ways > 1 || (ways === 0 && write === undefined)) wrong("", "give one of regex, column, json and offset");
    const isBinary = (binary as readonly string[]).includes(type);
    if (isBinary && offset === undefined) wrong("type", `${type} is found by its offset`);
    if (offset !== undefined && !isBinary && length === undefined)
      wrong("length", `${type} at an offset needs its length`);
    if (length !== undefined && (isBinary || offset === undefined)) wrong("length", "only text at an offset has it");
    if ((type === "bit") !== (bit !== undefined))
      wrong("bit", "type bit needs the number of the bit, others have none");
    if (type === "degrees" && column === undefined && !regex?.includes("(?<hemisphere>"))
      wrong("type", "degrees need a column, or a regex with the group (?<hemisphere>...)");
    if (answer !== undefined && write === undefined) wrong("answer", "only what is written is confirmed");
  });

export type SerialAddress = z.output<typeof address>;
/** Types that are bytes, not characters. */
export type BinaryType = (typeof binary)[number];
