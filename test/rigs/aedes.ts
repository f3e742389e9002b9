import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { Aedes } from "aedes";

/** A broker that was not written here, and is there wherever npm is. */
export interface AedesBroker extends AsyncDisposable {
  readonly port: number;
}

/** Starts aedes as it comes from the box, with its messages in memory. @param port - 0 for any that is free. */
export async function openAedes(port = 0): Promise<AedesBroker> {
  const broker = await Aedes.createBroker();
  const server: Server = createServer({ noDelay: true }, (socket) => void broker.handle(socket));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      await closed;
    },
  };
}
