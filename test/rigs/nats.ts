import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { findProgram, lesserFolder, openServer, type Server } from "./programs.ts";

const program = findProgram("nats-server");

/** Why NATS can not be tried here; undefined where it can. */
export const noNats = program ? undefined : "nats-server is not installed here";

export interface NatsServer extends Server {
  readonly url: string;
}

export interface NatsRig {
  /** Lines of its configuration. @default JetStream without users */
  readonly configuration?: string;
  /** @default true */
  readonly hasJetStream?: boolean;
}

/** A nats-server of its own, on this machine alone. Its folder goes with it. */
export async function openNatsServer({ configuration = "", hasJetStream = true }: NatsRig = {}): Promise<NatsServer> {
  const folder = lesserFolder();
  const port = await freePort();
  const file = join(folder.path, "nats.conf");
  const stream = hasJetStream ? `jetstream { store_dir: "${folder.path}/store" }` : "";
  writeFileSync(file, `listen: "127.0.0.1:${port}"\n${stream}\n${configuration}\n`);
  const server = await openServer({
    program: program ?? "",
    args: ["-c", file],
    cwd: folder.path,
    port,
    serves: () => greets(port),
  });
  return {
    ...server,
    url: `nats://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** Whether a server says hello there. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("data", () => {
      resolve(true);
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
  });
}
