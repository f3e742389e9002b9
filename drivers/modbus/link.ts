/**
 * What a user writes about a Modbus bus: how its bytes travel. The tables in `README.md` are printed from the
 * descriptions here.
 */
import { duration } from "#std/duration";
import { z } from "#std/schema";
import { portProblem, type SerialSettings, serialFields } from "#std/serial-port";

const timeout = duration(1).prefault("1s").describe("Longest time one visit to a device on this link may take.");

const retries = (times: number) =>
  z.int().min(0).max(5).default(times).describe("How often a request is repeated that had no valid answer.");

const turnaround = duration()
  .prefault("100ms")
  .describe("Time that devices get after a broadcast (a write to unit 0) before the next request.");

const host = z.string().min(1).describe("Name or IP address of the device or gateway.");
const port = (number: number, what: string) => z.int().min(1).max(65535).default(number).describe(`${what} port.`);

const quietOverTcp = duration()
  .prefault("0ms")
  .describe("Silence between an answer and the next request, for gateways that merge what follows too soon.");

const file = z.strictObject({ file: z.string().min(1) });

const tlsFiles = z.strictObject({
  authorityFrom: file.optional().describe("PEM file of the authority that signed the device's certificate."),
  certificateFrom: file.optional().describe("PEM file of our certificate."),
  keyFrom: file.optional().describe("PEM file of our private key."),
  pin: z
    .string()
    .regex(/^(?:[0-9a-fA-F]{2}:?){32}$/, "64 hex digits, with or without colons")
    .optional()
    .describe("SHA-256 of the device's certificate."),
});

const tcp = z.strictObject({
  transport: z.enum(["tcp"]).default("tcp").describe("Modbus TCP."),
  host,
  port: port(502, "TCP"),
  timeout,
  retries: retries(0),
});

const tls = z.strictObject({
  transport: z.enum(["tls"]).describe("Modbus/TCP Security: Modbus TCP inside TLS, both sides with certificates."),
  host,
  port: port(802, "TCP"),
  tls: tlsFiles.describe(
    "Files: `authorityFrom`, `certificateFrom`, `keyFrom`, each `{ file: /path }`; `pin`: the SHA-256 of the device's " +
      "certificate. At least one of `authorityFrom` and `pin`, because an unknown device is not trusted.",
  ),
  timeout,
  retries: retries(0),
});

const udp = z.strictObject({
  transport: z.enum(["udp"]).describe("The frames of Modbus TCP in datagrams."),
  host,
  port: port(502, "UDP"),
  timeout,
  retries: retries(1),
});

const lineOverTcp = <T extends string>(transport: T, what: string) =>
  z.strictObject({
    transport: z.enum([transport]).describe(what),
    host,
    port: port(502, "TCP"),
    timeout,
    retries: retries(1),
    quiet: quietOverTcp,
    turnaround,
  });

const serial = <T extends string>(transport: T, what: string) =>
  z.strictObject({
    transport: z.enum([transport]).describe(what),
    ...serialFields,
    timeout,
    retries: retries(1),
    quiet: duration()
      .optional()
      .describe("Silence on the line before each request. Without it 3.5 characters, at least 1.75 ms."),
    turnaround,
  });

const rtu = serial("rtu", "Modbus RTU on a serial port.");
const ascii = serial("ascii", "Modbus ASCII on a serial port; often 7 data bits and even parity.");

interface Times {
  readonly timeout: number;
  readonly quiet?: number | undefined;
  readonly turnaround?: number | undefined;
}

/** Numbers with a unit say it in their name. */
function timesOf<T extends Times>({ timeout, quiet, turnaround, ...rest }: T) {
  return {
    ...rest,
    timeoutMs: timeout,
    ...(quiet === undefined ? {} : { quietMs: quiet }),
    ...(turnaround === undefined ? {} : { turnaroundMs: turnaround }),
  };
}

function onePort(link: Pick<SerialSettings, "path" | "usb">, context: z.RefinementCtx): void {
  const message = portProblem(link);
  if (message) context.addIssue({ code: "custom", path: ["path"], message });
}

/** How a bus is reached. Without `transport` it is Modbus TCP. */
export const link = z.discriminatedUnion("transport", [
  tcp.transform(timesOf),
  rtu.superRefine(onePort).transform(timesOf),
  lineOverTcp("rtu-tcp", "RTU frames through a serial server or transparent gateway.").transform(timesOf),
  ascii.superRefine(onePort).transform(timesOf),
  lineOverTcp("ascii-tcp", "ASCII frames through a serial server or transparent gateway.").transform(timesOf),
  udp.transform(timesOf),
  tls
    .superRefine(({ tls }, context) => {
      const wrong = (path: string, message: string) =>
        context.addIssue({ code: "custom", path: ["tls", path], message });
      if (!tls.authorityFrom && !tls.pin) wrong("authorityFrom", "give an authority or a pin to know the device by");
      if (!tls.certificateFrom !== !tls.keyFrom) wrong("keyFrom", "certificate and key belong together");
    })
    .transform(timesOf),
  z
    .strictObject({
      transport: z.enum(["replay"]).describe("No bus at all: plays back a file that `edgeadm device record` wrote."),
      file: z.string().min(1).describe("The recording, one exchange a line."),
      timeout,
      retries: retries(0),
    })
    .transform(timesOf),
]);

export type ModbusLink = z.output<typeof link>;

/** The links of one kind or several. */
export type LinkOf<T extends ModbusLink["transport"]> = Extract<ModbusLink, { readonly transport: T }>;

/** Links over a serial port. */
export type SerialLink = LinkOf<"rtu" | "ascii">;
