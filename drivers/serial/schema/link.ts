/** How a serial line is reached: a port of this machine, by its path or its USB adapter, or a serial server. */
import { duration } from "#std/duration";
import { z } from "#std/schema";

const usbId = z
  .string()
  .regex(/^[\da-fA-F]{4}$/, 'four hexadecimal digits in quotes, such as "0403"')
  .transform((id) => id.toLowerCase());

/** `spec.link` of a serial device. */
export const link = z
  .strictObject({
    path: z.string().min(1).optional().describe("The port, such as `/dev/ttyUSB0` or `COM3`."),
    usb: z
      .strictObject({
        vendor: usbId.describe("Vendor id."),
        product: usbId.describe("Product id."),
        serial: z.string().min(1).optional().describe("Serial number, when several adapters are alike."),
      })
      .optional()
      .describe(
        "The port by its USB adapter: `vendor` and `product`, four hexadecimal digits each, and `serial` when several " +
          "are alike. It is looked up at every connect, so it may be unplugged and come back under another name.",
      ),
    host: z.string().min(1).optional().describe("A serial server that passes the bytes on over TCP, such as ser2net."),
    port: z.int().min(1).max(65535).default(4001).describe("TCP port of the serial server. For `host` alone."),
    file: z
      .string()
      .min(1)
      .optional()
      .describe("No line at all: plays back a file that `edgeadm device record` wrote, for tests without the device."),
    baudRate: z.int().min(50).max(4_000_000).default(9_600).describe("Bits per second. A serial server has its own."),
    dataBits: z
      .union([z.literal(7), z.literal(8)])
      .default(8)
      .describe("Bits of a character."),
    parity: z.enum(["none", "even", "odd", "mark", "space"]).default("none").describe("Parity bit."),
    stopBits: z
      .union([z.literal(1), z.literal(1.5), z.literal(2)])
      .default(1)
      .describe("Stop bits."),
    flow: z.enum(["none", "rtscts", "xonxoff"]).default("none").describe("Flow control."),
    timeout: duration(1)
      .prefault("1s")
      .describe(
        "Longest time one visit to a device on this link may take; longer for one whose own `timeout` and `retries` need it.",
      ),
  })
  .superRefine(({ path, usb, host, file }, context) => {
    const given = [path, usb, host, file].filter((way) => way !== undefined).length;
    if (given !== 1) context.addIssue({ code: "custom", message: "give one of path, usb, host and file" });
  })
  .transform(({ timeout, ...rest }) => ({ ...rest, timeoutMs: timeout }));

export type SerialLink = z.output<typeof link>;
