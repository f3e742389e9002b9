/**
 * What a user writes about a device on a Modbus bus and about one of its properties; the bus itself is in `link.ts`.
 * The tables in `README.md` are printed from the descriptions here.
 */
import { duration } from "#std/duration";
import { z } from "#std/schema";
import { isNumeric, types, wordsOf } from "./registers.ts";

const stationFields = z.strictObject({
  unit: z
    .int()
    .min(0)
    .max(255)
    .default(1)
    .describe("Unit identifier: 1 to 247 behind a gateway; a device with its own TCP port often wants 1, 0 or 255."),
  maxRegisters: z
    .int()
    .min(1)
    .max(125)
    .default(125)
    .describe(
      "Most registers that are read in one request; for coils and discretes 16 times as many. " +
        "A value that is wider than this is still read in one request, so that it is never torn.",
    ),
  maxGap: z
    .int()
    .min(0)
    .max(124)
    .default(8)
    .describe(
      "Unused registers that are read along to save a request; for coils and discretes 16 times as many. " +
        "When the device refuses such a request, it is split and the split is remembered.",
    ),
  single: z
    .boolean()
    .default(false)
    .describe("One value at a time: each has a request of its own, for devices that stand no more."),
  timeout: duration(1)
    .optional()
    .describe(
      "Longest time one visit to this device may take, shorter or longer than the link's. Without it the link's.",
    ),
  retries: z
    .int()
    .min(0)
    .max(5)
    .optional()
    .describe("How often a request to this device is repeated that had no valid answer. Without it as the link says."),
  identify: z
    .boolean()
    .default(true)
    .describe("Whether it is asked once per connection who it is (function 43); some devices stand no such question."),
  writeMultiple: z
    .boolean()
    .default(false)
    .describe("Write single values with function 15 and 16 too, for devices that lack 5 and 6."),
  readWrite: z
    .boolean()
    .default(false)
    .describe("Write registers with function 23, which reads them back in the same trip and so proves what they hold."),
});

/** Which device on the bus, and what it can stand. */
export const station = stationFields.transform(({ timeout, ...rest }) => ({
  ...rest,
  ...(timeout === undefined ? {} : { timeoutMs: timeout }),
}));

const register = z.int().min(0).max(65535);

/** One bit in the table of coils or of discrete inputs. */
const bitAddress = z.strictObject({
  table: z.enum(["coil", "discrete"]).describe("`coil` can be written, `discrete` can not."),
  register: register.describe("Number of the coil or discrete input, counted from 0 as on the wire."),
});

/** A value in one or more registers. */
const wordAddress = z
  .strictObject({
    table: z.enum(["input", "holding"]).describe("`holding` can be written, `input` can not."),
    register: register.describe("Number of the first register, counted from 0 as on the wire: 40011 is holding 10."),
    type: z
      .enum(types)
      .default("uint16")
      .describe(
        "What the registers hold. `bool` is a whole register (0 is false), `bit` one bit of it, `int8` and `uint8` one " +
          "byte of it. `unix32`, `unix64` (seconds), `unixms64` and `datetime` (IEC 60870-5-4) are times; they read " +
          "as ISO 8601 in UTC.",
      ),
    bit: z.int().min(0).max(15).optional().describe("Which bit, 0 being the lowest. For `bit` alone."),
    length: z.int().min(1).max(123).optional().describe("Registers of a text, two bytes each. For `string` alone."),
    encoding: z
      .enum(["utf8", "latin1", "ascii"])
      .optional()
      .describe("Of a text. For `string` alone; UTF-8 without it."),
    pad: z
      .enum(["nul", "space"])
      .optional()
      .describe("What fills a text up. Spaces at the end are cut off for `space`. For `string` alone; NUL without it."),
    byte: z
      .enum(["high", "low"])
      .optional()
      .describe("Which half of the register. For `int8` and `uint8`; low without it."),
    sentinels: z
      .array(z.union([z.number(), z.string().regex(/^-?\d{1,20}$/)]))
      .max(16)
      .optional()
      .describe("Numbers that mean `no value`, such as `[-32768]`, before scale and offset. The reading is bad then."),
    words: z
      .enum(["big", "little"])
      .default("big")
      .describe("Which register of a number comes first: the one with its high bits (`big`) or its low bits."),
    bytes: z
      .enum(["big", "little"])
      .default("big")
      .describe("Which byte of a register comes first. The standard says `big`; some devices swap them."),
  })
  .superRefine((address, context) => {
    const { type, bit, length, register, encoding, pad, byte, sentinels } = address;
    const wrong = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (type === "bit" && bit === undefined) wrong("bit", "type bit needs the number of the bit, 0 to 15");
    if (type !== "bit" && bit !== undefined) wrong("bit", `only type bit has it, not ${type}`);
    if (type === "string" && length === undefined) wrong("length", "type string needs its length in registers");
    if (type !== "string" && length !== undefined) wrong("length", `only type string has it, not ${type}`);
    for (const [field, value] of Object.entries({ encoding, pad })) {
      if (type !== "string" && value !== undefined) wrong(field, `only type string has it, not ${type}`);
    }
    if (!type.endsWith("int8") && byte !== undefined) wrong("byte", `only int8 and uint8 have it, not ${type}`);
    if (sentinels && !isNumeric(type)) wrong("sentinels", `only numbers have them, not ${type}`);
    const last = register + wordsOf(address) - 1;
    if (register <= 65535 && last > 65535)
      wrong("register", `${type} at ${register} ends at ${last}, beyond the last register 65535`);
  });

/** Where one property lives in a device. */
export const address = z.discriminatedUnion("table", [bitAddress, wordAddress]);

export type ModbusStation = z.output<typeof station>;
export type BitAddress = z.output<typeof bitAddress>;
export type WordAddress = z.output<typeof wordAddress>;
export type ModbusAddress = BitAddress | WordAddress;
export type Table = ModbusAddress["table"];
