/**
 * The serial ports of this machine, and the one door to the `serialport` package. It is loaded when a port is first
 * listed or opened: a node without serial devices pays neither its 48 ms nor its memory.
 */
import type { Duplex } from "node:stream";
import type { UsbId } from "./schema/link.ts";

/** What is known of a port; the ids are hexadecimal digits. */
export interface PortInfo {
  readonly path: string;
  readonly vendorId?: string | undefined;
  readonly productId?: string | undefined;
  readonly serialNumber?: string | undefined;
}

/** How the line is set. */
export interface PortSettings {
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: "none" | "even" | "odd" | "mark" | "space";
  readonly stopBits: 1 | 1.5 | 2;
  readonly flow: "none" | "rtscts" | "xonxoff";
}

/** The ports of a machine; a test brings its own. */
export interface Ports {
  list(): Promise<readonly PortInfo[]>;
  /** Resolves with an open port; rejects with what the system says. */
  open(path: string, settings: PortSettings): Promise<Duplex>;
}

/** The ports of this machine. */
export const systemPorts: Ports = {
  async list() {
    const { SerialPort } = await import("serialport");
    return await SerialPort.list();
  },
  async open(path, { flow, ...settings }) {
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
  },
};

/** The port of a USB adapter, or in words why there is not exactly one. */
export function choosePort(ports: readonly PortInfo[], { vendor, product, serial }: UsbId): PortInfo | string {
  const alike = ports.filter(
    ({ vendorId, productId }) => vendorId?.toLowerCase() === vendor && productId?.toLowerCase() === product,
  );
  const found = serial === undefined ? alike : alike.filter(({ serialNumber }) => serialNumber === serial);
  const what = `USB adapter ${vendor}:${product}${serial === undefined ? "" : ` with serial number ${serial}`}`;
  const [first, second] = found;
  if (!first) return `there is no ${what}`;
  if (!second) return first;
  const choices = found.map(({ path, serialNumber }) => `${path} (${serialNumber ?? "no serial number"})`);
  return `there are ${found.length} of ${what}: ${choices.join(", ")}; give the serial number`;
}
