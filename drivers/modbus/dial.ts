import { openSerialPort } from "#std/serial-port";
import { ascii } from "./ascii.ts";
import { openSocket, socketChannel } from "./channel.ts";
import { overLine } from "./line.ts";
import type { LinkOf, ModbusLink, SerialLink } from "./link.ts";
import { openReplay } from "./replay.ts";
import { rtu } from "./rtu.ts";
import { dialTcp, MOST_UNANSWERED } from "./tcp.ts";
import { dialTls } from "./tls.ts";
import type { Transport } from "./transport.ts";
import { dialUdp } from "./udp.ts";

/** Opens the transport that a link asks for. @throws {Fault} `LINK_LOST` when nobody is there. */
export async function dial(link: ModbusLink, signal: AbortSignal): Promise<Transport> {
  switch (link.transport) {
    case "tcp":
      return await dialTcp(link, signal);
    case "tls":
      return await dialTls(link, signal);
    case "udp":
      return await dialUdp(link, signal);
    case "rtu":
    case "ascii":
      return await dialSerial(link, signal);
    case "rtu-tcp":
    case "ascii-tcp":
      return await dialLine(link, signal);
    case "replay":
      return await openReplay(link.file, signal);
  }
}

async function dialSerial(link: SerialLink, signal: AbortSignal): Promise<Transport> {
  const port = await openSerialPort(link, signal);
  const quietMs = link.quietMs ?? silenceMs(link);
  return overLine(port, link.transport === "rtu" ? rtu : ascii, { ...times(link), name: port.path, quietMs });
}

async function dialLine(link: LinkOf<"rtu-tcp" | "ascii-tcp">, signal: AbortSignal): Promise<Transport> {
  const channel = socketChannel(await openSocket(link, signal), link);
  return overLine(channel, link.transport === "rtu-tcp" ? rtu : ascii, {
    ...times(link),
    name: `${link.host}:${link.port}`,
    quietMs: link.quietMs ?? 0,
    mostUnanswered: MOST_UNANSWERED,
  });
}

function times({ turnaroundMs = 0 }: { readonly turnaroundMs?: number | undefined }) {
  return { turnaroundMs };
}

/** Bits on the wire for one character: start, data, parity, stop. */
export function bitsOf({ dataBits, parity, stopBits }: Pick<SerialLink, "dataBits" | "parity" | "stopBits">): number {
  return 1 + dataBits + (parity === "none" ? 0 : 1) + stopBits;
}

/**
 * The silence that ends an RTU frame: 3.5 characters, 1.75 ms above 19200 baud.
 *
 * **Source:** Modbus over Serial Line Specification V1.02, §2.5.1.1.
 */
export function silenceMs(link: Pick<SerialLink, "baudRate" | "dataBits" | "parity" | "stopBits">): number {
  return link.baudRate > 19_200 ? 1.75 : (3.5 * bitsOf(link) * 1000) / link.baudRate;
}
