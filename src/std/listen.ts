import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { Fault } from "./fault.ts";

/** Where a server listens. Port 0 means any free one. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * Makes a server listen and returns where it does.
 * @param what - names the server in the message, such as `the MQTT broker`.
 * @throws {Fault} `PORT_IN_USE`, `PERMISSION_MISSING` (ports below 1024), `CONFIG_INVALID` (no such address here).
 */
export async function listen(server: Server, { host, port }: Endpoint, what: string): Promise<Endpoint> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const at = `${what} can not listen on ${host}:${port}`;
    if (code === "EADDRINUSE") throw new Fault("PORT_IN_USE", `${at}: the port is in use`, { cause, host, port });
    if (code === "EACCES") throw new Fault("PERMISSION_MISSING", `${at}: not allowed for this user`, { cause });
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
      throw new Fault("CONFIG_INVALID", `${at}: this machine has no such address`, { cause });
    throw cause;
  }
  const address = server.address() as AddressInfo;
  return { host, port: address.port };
}
