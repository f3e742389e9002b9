/**
 * Modbus/TCP Security: the frames of Modbus TCP inside TLS.
 *
 * **Source:** Modbus/TCP Security Protocol Specification, v3.6 (MBTLS; port 802, TLS 1.2 or later, mutual).
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { Fault } from "#std/fault";
import { openSocket, reason } from "./channel.ts";
import type { LinkOf } from "./link.ts";
import { overSocket } from "./tcp.ts";
import type { Transport } from "./transport.ts";

/**
 * Opens a TLS connection to a device that is known by its authority, its pin, or both.
 * @throws {Fault} `LINK_LOST` when nobody is there, `CONFIG_INVALID` when a file can not be read or the device is
 * not who it should be.
 */
export async function dialTls(link: LinkOf<"tls">, signal: AbortSignal): Promise<Transport> {
  const { host, port, tls } = link;
  const [ca, cert, key] = await Promise.all([tls.authorityFrom, tls.certificateFrom, tls.keyFrom].map(contentOf));
  const socket = connect({
    socket: await openSocket(link, signal),
    // Without an authority the pin alone decides, below, before the first byte is sent.
    rejectUnauthorized: ca !== undefined,
    minVersion: "TLSv1.2",
    ...(isIP(host) ? { host } : { servername: host }),
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  try {
    await once(socket, "secureConnect", { signal });
    checkPin(socket, tls.pin, `${host}:${port}`);
  } catch (cause) {
    socket.on("error", () => {}).destroy();
    signal.throwIfAborted();
    if (Fault.is(cause)) throw cause;
    const where = `${host}:${port}`;
    if (isCertificate(cause))
      throw new Fault(
        "CONFIG_INVALID",
        `link.tls: ${where} shows a certificate that is not trusted (${reason(cause)}): give the authority that signed it ` +
          "in authorityFrom, or its own SHA-256 in pin",
        { cause, host, port },
      );
    throw new Fault("LINK_LOST", `${where} makes no TLS connection (${reason(cause)})`, { cause, host, port });
  }
  return overSocket(socket, link);
}

function checkPin(socket: TLSSocket, pin: string | undefined, where: string): void {
  if (pin === undefined) return;
  const shown = bare(socket.getPeerCertificate().fingerprint256);
  if (shown === bare(pin)) return;
  throw new Fault(
    "CONFIG_INVALID",
    `link.tls.pin: ${where} shows the certificate ${shown}, the pin is ${bare(pin)}; if it was replaced, make that the pin`,
    { shown },
  );
}

function bare(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").toLowerCase();
}

/** Whether our side found the certificate wrong; OpenSSL and Node name each reason. */
function isCertificate(cause: unknown): boolean {
  return /CERT|ALTNAME|SELF_SIGNED|ISSUER|UNABLE_TO_VERIFY/.test(reason(cause));
}

async function contentOf(from: { readonly file: string } | undefined): Promise<Buffer | undefined> {
  if (!from) return undefined;
  try {
    return await readFile(from.file);
  } catch (cause) {
    throw new Fault("CONFIG_INVALID", `${from.file} can not be read (${reason(cause)})`, { cause });
  }
}
