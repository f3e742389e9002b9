/**
 * The one door to `serialport`. The package and its native part are loaded when the first port is opened: a node
 * without serial devices pays neither start time nor memory for them.
 */
import type { SerialPort as Port } from "serialport";
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
        "whatever socket it is. Without `serial` the first adapter of its kind is taken.",
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
  /** Resolves when everything written has left the machine. Rejects with the signal's reason. */
  drain(signal: AbortSignal): Promise<void>;
  /** Sets who gets the bytes; what came before is kept for the first one. */
  onData(take: (chunk: Buffer) => void): void;
  /** Sets who is told, once, that the port is gone: pulled out, or closed here. */
  onLost(tell: (fault: Fault) => void): void;
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
  const { SerialPort } = await import("serialport");
  const path = settings.path ?? (await findUsb(settings.usb, SerialPort.list));
  signal.throwIfAborted();
  const { baudRate, parity, stopBits, dataBits } = settings;
  const port = new SerialPort({ path, baudRate, parity, stopBits, dataBits, autoOpen: false });
  const cause = await new Promise<Error | null>((resolve) => port.open(resolve));
  if (cause) throw refusal(path, cause);
  if (signal.aborted) {
    port.close();
    throw signal.reason;
  }
  return overPort(port, path);
}

function overPort(port: Port, path: string): SerialPort {
  let lost: Fault | undefined;
  let tell: ((fault: Fault) => void) | undefined;
  const lose = (how: string, cause?: unknown) => {
    if (lost) return;
    lost = new Fault("LINK_LOST", `${path} ${how}`, { cause, path });
    tell?.(lost);
  };
  port.on("error", (cause) => lose(`is gone (${cause.message})`, cause));
  port.on("close", (cause?: Error | null) => lose(cause ? `is gone (${cause.message})` : "was closed here", cause));
  return {
    path,
    get unsent() {
      return port.writableLength;
    },
    write(bytes) {
      if (!lost) port.write(bytes);
    },
    async drain(signal) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const abort = () => reject(signal.reason);
        signal.addEventListener("abort", abort, { once: true });
        port.drain(() => {
          signal.removeEventListener("abort", abort);
          resolve();
        });
      });
    },
    onData: (take) => void port.on("data", take),
    onLost(told) {
      tell = told;
      if (lost) told(lost);
    },
    async [Symbol.asyncDispose]() {
      lose("was closed here");
      if (port.isOpen) await new Promise<void>((resolve) => port.close(() => resolve()));
    },
  };
}

interface Listed {
  readonly path: string;
  readonly vendorId?: string | undefined;
  readonly productId?: string | undefined;
  readonly serialNumber?: string | undefined;
}

async function findUsb(usb: SerialSettings["usb"], list: () => Promise<readonly Listed[]>): Promise<string> {
  const listed = await list().catch((cause: Error) => {
    throw new Fault("LINK_LOST", `this machine does not tell its USB adapters (${cause.message})`, { cause });
  });
  const found = usb && listed.find((port) => isUsb(port, usb));
  if (found) return found.path;
  const what = `${usb?.vendor}:${usb?.product}${usb?.serial ? ` ${usb.serial}` : ""}`;
  throw new Fault("LINK_LOST", `no USB adapter ${what} is plugged in`, { ports: listed.map(({ path }) => path) });
}

/** Whether a listed port is the wanted adapter; the hex digits may be in either case. */
export function isUsb(port: Listed, { vendor, product, serial }: NonNullable<SerialSettings["usb"]>): boolean {
  return (
    port.vendorId?.toLowerCase() === vendor.toLowerCase() &&
    port.productId?.toLowerCase() === product.toLowerCase() &&
    (serial === undefined || port.serialNumber === serial)
  );
}

function refusal(path: string, cause: Error): Fault {
  if (/permission denied|access denied/i.test(cause.message)) {
    return new Fault("PERMISSION_MISSING", `${path} can not be opened: not allowed for this user`, { cause, path });
  }
  return new Fault("LINK_LOST", `${path} can not be opened (${cause.message})`, { cause, path });
}
