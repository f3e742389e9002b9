import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { findProgram, giveAway, lesserFolder, openServer, type Server } from "./programs.ts";

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
  /** A folder of files that it must be able to read. */
  readonly owns?: string;
}

/** A nats-server of its own, on this machine alone. Its folder goes with it. */
export async function openNatsServer({
  configuration = "",
  hasJetStream = true,
  owns,
}: NatsRig = {}): Promise<NatsServer> {
  const folder = lesserFolder();
  if (owns !== undefined) giveAway(owns);
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

/** Makes a stream forget the ids of its messages, as it does by itself when its duplicate window has passed. */
export async function forgetIds(port: number, stream: string): Promise<void> {
  const nc = await connectNats({ servers: `127.0.0.1:${port}` });
  try {
    const { streams } = await jetstreamManager(nc);
    const { config } = await streams.info(stream);
    await streams.update(stream, { duplicate_window: SHORT_NANOS });
    // The server looks when a message comes.
    await eventually(async () => {
      const probe = () => jetstream(nc).publish(PROBE, "", { msgID: "probe" });
      await probe();
      await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_MS));
      return !(await probe()).duplicate;
    });
    await streams.update(stream, { duplicate_window: config.duplicate_window });
  } finally {
    await nc.close();
  }
}

const SHORT_MS = 100;
const SHORT_NANOS = SHORT_MS * 1_000_000;
const PROBE = "skerry.telemetry.probe";
