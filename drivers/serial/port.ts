/** The serial ports of a machine, as a seam: a test brings its own. */
import type { Duplex } from "node:stream";
import { listPorts, openPort, type PortInfo, type PortSettings } from "#std/serial-port";

/** The ports of a machine. */
export interface Ports {
  list(): Promise<readonly PortInfo[]>;
  /** Resolves with an open port; rejects with what the system says. */
  open(path: string, settings: PortSettings): Promise<Duplex>;
}

/** The ports of this machine. */
export const systemPorts: Ports = { list: listPorts, open: openPort };
