/**
 * What a user writes about a Modbus bus, a device on it and one of its properties.
 * The tables in `README.md` are printed from the descriptions here.
 */
import { duration } from "#std/duration";
import { z } from "#std/schema";
import { wordsOf } from "./registers.ts";

/** How a Modbus TCP server or gateway is reached. */
export const link = z
  .strictObject({
    host: z.string().min(1).describe("Name or IP address of the device or gateway."),
    port: z.int().min(1).max(65535).default(502).describe("TCP port."),
    timeout: duration(1).prefault("1s").describe("Longest time one visit to a device on this link may take."),
  })
  .transform(({ timeout, ...rest }) => ({ ...rest, timeoutMs: timeout }));

/** Which device on the bus, and what it can stand. */
export const station = z.strictObject({
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
  writeMultiple: z
    .boolean()
    .default(false)
    .describe("Write single values with function 15 and 16 too, for devices that lack 5 and 6."),
});

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
      .enum(["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bool", "bit", "string"])
      .default("uint16")
      .describe("What the registers hold. `bool` is a whole register (0 is false); `bit` is one bit of it."),
    bit: z.int().min(0).max(15).optional().describe("Which bit, 0 being the lowest. For `bit` alone."),
    length: z
      .int()
      .min(1)
      .max(123)
      .optional()
      .describe("Registers of a text, two bytes of UTF-8 each, padded with NUL. For `string` alone."),
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
    const { type, bit, length, register } = address;
    const wrong = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (type === "bit" && bit === undefined) wrong("bit", "type bit needs the number of the bit, 0 to 15");
    if (type !== "bit" && bit !== undefined) wrong("bit", `only type bit has it, not ${type}`);
    if (type === "string" && length === undefined) wrong("length", "type string needs its length in registers");
    if (type !== "string" && length !== undefined) wrong("length", `only type string has it, not ${type}`);
    const last = register + wordsOf(address) - 1;
    if (register <= 65535 && last > 65535)
      wrong("register", `${type} at ${register} ends at ${last}, beyond the last register 65535`);
  });

/** Where one property lives in a device. */
export const address = z.discriminatedUnion("table", [bitAddress, wordAddress]);

export type ModbusLink = z.output<typeof link>;
export type ModbusStation = z.output<typeof station>;
export type BitAddress = z.output<typeof bitAddress>;
export type WordAddress = z.output<typeof wordAddress>;
export type ModbusAddress = BitAddress | WordAddress;
export type Table = ModbusAddress["table"];
