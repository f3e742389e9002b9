/**
 * The one door to `serialport`. The package and its native part are loaded when the first port is opened: a node
 * without serial devices pays neither start time nor memory for them.
 */
import type { Duplex } from "node:stream";
import { Fault } from "./fault.ts";
import { z } from "./schema.ts";

const usbId = z.string().regex(/^[0-9a-fA-F]{4}$/, "four hex digits, such as 0403");

/** Fields of a link over a serial port, to be spread into a driver's schema; one of `path` and `usb` is needed. */
export const serialFields = {
  path: z.string().min(1).optional().describe("The port, such as `/dev/ttyUSB0` or `COM3`. Either this or `usb`."),
  usb: z
    .strictObject({ vendor: usbId, product: usbId, serial: z.string().min(1).optional() })
    .optional()
    .describe(
      "The adapter by its USB id, `{ vendor: '0403', product: '6001', serial: 'A10K1234' }`: it is found again in " +
        "whatever socket it is. `serial` is needed where there are several of its kind.",
    ),
  baudRate: z.int().min(50).max(4_000_000).default(9600).describe("Bits per second, as the device has it."),
  parity: z.enum(["none", "even", "odd"]).default("none").describe("The parity bit of each character."),
  stopBits: z
    .union([z.literal(1), z.literal(2)])
    .default(1)
    .describe("Stop bits, 1 or 2."),
  dataBits: z
    .union([z.literal(7), z.literal(8)])
    .default(8)
    .describe("Data bits, 7 or 8."),
};

/** How a serial port is found and set. */
export interface SerialSettings {
  readonly path?: string | undefined;
  readonly usb?:
    | { readonly vendor: string; readonly product: string; readonly serial?: string | undefined }
    | undefined;
  readonly baudRate: number;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
  readonly dataBits: 7 | 8;
}

/** An open serial port. Disposing it, once or twice, closes it. */
export interface SerialPort extends AsyncDisposable {
  /** Where it was found. */
  readonly path: string;
  /** Bytes given to {@link write} that are not out yet. */
  readonly unsent: number;
  write(bytes: Uint8Array): void;
  /** Sets who gets the bytes; what came before is kept for the first one. */
  onData(take: (chunk: Buffer) => void): void;
  /** Sets who is told, once, that the port is gone: pulled out, or closed here. */
  onLost(tell: (fault: Fault) => void): void;
}

/** What is known of a port; the ids are hexadecimal digits. */
export interface PortInfo {
  readonly path: string;
  readonly vendorId?: string | undefined;
  readonly productId?: string | undefined;
  readonly serialNumber?: string | undefined;
}

/** How a line is set, with all that the package can do. */
export interface PortSettings {
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: "none" | "even" | "odd" | "mark" | "space";
  readonly stopBits: 1 | 1.5 | 2;
  /** @default "none" */
  readonly flow?: "none" | "rtscts" | "xonxoff";
}

/** The ports of this machine. Rejects with what the system says. */
export async function listPorts(): Promise<readonly PortInfo[]> {
  const { SerialPort } = await import("serialport");
  return await SerialPort.list();
}

/** An open port as a stream, for this process alone; destroying it closes it. Rejects with what the system says. */
export async function openPort(path: string, { flow = "none", ...settings }: PortSettings): Promise<Duplex> {
  const { SerialPort } = await import("serialport");
  const isSoft = flow === "xonxoff";
  const port = new SerialPort({
    ...settings,
    path,
    rtscts: flow === "rtscts",
    xon: isSoft,
    xoff: isSoft,
    autoOpen: false,
  });
  // Of itself it stays open, and locked, when the stream is destroyed.
  port._destroy = (error, done) => (port.isOpen ? port.close(() => done(error)) : done(error));
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  return port;
}

/** The port of a USB adapter, or in words why there is not exactly one. The digits may be in either case. */
export function choosePort(
  ports: readonly PortInfo[],
  { vendor, product, serial }: NonNullable<SerialSettings["usb"]>,
): PortInfo | string {
  const alike = ports.filter(
    ({ vendorId, productId }) =>
      vendorId?.toLowerCase() === vendor.toLowerCase() && productId?.toLowerCase() === product.toLowerCase(),
  );
  const found = serial === undefined ? alike : alike.filter(({ serialNumber }) => serialNumber === serial);
  const what = `USB adapter ${vendor}:${product}${serial === undefined ? "" : ` with serial number ${serial}`}`;
  const [first, second] = found;
  if (!first) return `there is no ${what}`;
  if (!second) return first;
  const choices = found.map(({ path, serialNumber }) => `${path} (${serialNumber ?? "no serial number"})`);
  return `there are ${found.length} of ${what}: ${choices.join(", ")}; give the serial number`;
}

/** Why neither or both ways of finding a port are wrong; undefined when one is given. For a schema's `superRefine`. */
export function portProblem({ path, usb }: Pick<SerialSettings, "path" | "usb">): string | undefined {
  if (path === undefined && usb === undefined) return "give the port by path or by usb id";
  return path !== undefined && usb !== undefined ? "give either path or usb, not both" : undefined;
}

/**
 * Opens a serial port for this process alone.
 * @throws {Fault} `LINK_LOST` when it is not there or somebody else has it, `PERMISSION_MISSING`.
 */
export async function openSerialPort(settings: SerialSettings, signal: AbortSignal): Promise<SerialPort> {
  signal.throwIfAborted();
  const path = settings.path ?? (await findUsb(settings.usb));
  signal.throwIfAborted();
  const { baudRate, parity, stopBits, dataBits } = settings;
  const port = await openPort(path, { baudRate, parity, stopBits, dataBits }).catch((cause: Error) => {
    throw refusal(path, cause);
  });
  if (signal.aborted) {
    port.destroy();
    throw signal.reason;
  }
  return overPort(port, path);
}

function overPort(port: Duplex, path: string): SerialPort {
  let lost: Fault | undefined;
  let tell: ((fault: Fault) => void) | undefined;
  const closed = new Promise<void>((resolve) => port.once("close", () => resolve()));
  const lose = (how: string, cause?: unknown) => {
    port.destroy();
    if (lost) return;
    lost = new Fault("LINK_LOST", `${path} ${how}`, { cause, path });
    tell?.(lost);
  };
  port.on("error", (cause) => lose(`is gone (${cause.message})`, cause));
  port.on("close", (cause?: Error | null) => lose(`is gone${cause ? ` (${cause.message})` : ""}`, cause));
  return {
    path,
    get unsent() {
      return port.writableLength;
    },
    write(bytes) {
      if (!lost) port.write(bytes);
    },
    onData: (take) => void port.on("data", take),
    onLost(told) {
      tell = told;
      if (lost) told(lost);
    },
    async [Symbol.asyncDispose]() {
      lose("was closed here");
      await closed;
    },
  };
}

async function findUsb(usb: SerialSettings["usb"]): Promise<string> {
  const listed = await listPorts().catch((cause: Error) => {
    throw new Fault("LINK_LOST", `this machine does not tell its USB adapters (${cause.message})`, { cause });
  });
  const found = usb ? choosePort(listed, usb) : "the link names no port";
  if (typeof found !== "string") return found.path;
  throw new Fault("LINK_LOST", found, { ports: listed.map(({ path }) => path) });
}

function refusal(path: string, cause: Error): Fault {
  if (/permission denied|access denied/i.test(cause.message)) {
    return new Fault(
      "PERMISSION_MISSING",
      `${path} may not be opened by this user: make it a member of the port's group, often dialout`,
      { cause, path },
    );
  }
  return new Fault("LINK_LOST", `${path} can not be opened (${cause.message})`, { cause, path });
}
