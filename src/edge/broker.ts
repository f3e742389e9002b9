import { createServer, type Socket } from "node:net";
import { Aedes, type AedesPublishPacket, type Client } from "aedes";
import { Fault } from "#std/fault";
import { type Endpoint, listen } from "#std/listen";
import type { Log } from "#std/log";
import { Queue } from "#std/queue";
import type { Params, Topic } from "#wire/topic";

/** The site's MQTT broker: the door between the applications here and the twins. */
export interface Broker extends Endpoint, AsyncDisposable {
  /** Connected clients. */
  readonly clients: number;
  /** Publishes to all who subscribed. Nobody has to wait for it: what is retained is held at once. */
  publish<P extends string, T>(topic: Topic<P, T>, params: Params<P>, body: T): void;
  /** The same for a text that is encoded already, on the way of every value. */
  publishText(topic: string, text: string, retain: boolean): void;
  /** Takes a retained message away. */
  clear<P extends string, T>(topic: Topic<P, T>, params: Params<P>): void;
  /** Yields what clients publish from now on until the signal aborts. A slow reader loses the oldest. */
  subscribe<P extends string, T>(topic: Topic<P, T>, signal: AbortSignal): AsyncIterable<Message<P, T>>;
}

/** A message of a client, or why it could not be read. */
export type Message<P extends string, T> =
  | { readonly ok: true; readonly params: Params<P>; readonly body: T }
  | { readonly ok: false; readonly params: Params<P>; readonly fault: Fault };

export interface BrokerOptions extends Endpoint {
  readonly log: Log;
}

/** Messages that a reader within the node may lag behind. */
const LAG = 1000;

/** Topics under which only the node speaks; applications say what they wish at `.../set` and nothing else. */
const OURS = /^(devices|node|\$SYS)(\/|$)/;
const WISH = /^devices\/[^/]+\/(desired\/[^/]+\/set|commands\/[^/]+)$/;

/** Starts the broker. What is returned is listening; disposing it closes every client and the port. */
export async function openBroker({ host, port, log }: BrokerOptions): Promise<Broker> {
  const mqtt = await Aedes.createBroker({
    // The default of 60 s lets one frozen subscriber stop every publisher for that long.
    drainTimeout: 1000,
    concurrency: 1000,
    authorizePublish: (client, { topic }, done) => {
      if (!OURS.test(topic) || WISH.test(topic)) return done(null);
      log.warn("publish refused", { client: client?.id, topic });
      done(new Error(`${topic} can only be published by the node`));
    },
  });
  mqtt.on("clientError", (client: Client, error: Error) => log.debug("client lost", { client: client.id, error }));
  mqtt.on("connectionError", (client: Client, error: Error) =>
    log.debug("connect refused", { client: client.id, error }),
  );
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    mqtt.handle(corked(socket));
  });
  const bound = await listen(server, { host, port }, "the MQTT broker").catch(async (error: unknown) => {
    await closeBroker(mqtt);
    throw error;
  });

  function publishText(topic: string, text: string, retain: boolean): void {
    const packet = { cmd: "publish", topic, payload: text, qos: 0, retain, dup: false } as const;
    mqtt.publish(packet, (error) => {
      if (error) log.warn("publish broke", { topic, error });
    });
  }

  return {
    ...bound,
    get clients() {
      return mqtt.connectedClients;
    },
    publishText,
    publish: (topic, params, body) => publishText(topic.at(params), topic.encode(body), topic.retain),
    clear: (topic, params) => publishText(topic.at(params), "", true),

    subscribe(topic, signal) {
      const queue = new Queue<AedesPublishPacket>(LAG);
      const deliver = (packet: AedesPublishPacket, done: () => void) => {
        if (!queue.push(packet)) log.warn("message dropped, the node is too slow", { topic: packet.topic });
        // Called at once, it would grow the stack by a frame per queued message until it overflows.
        setImmediate(done);
      };
      mqtt.subscribe(topic.filter, deliver, () => {});
      const close = () => {
        mqtt.unsubscribe(topic.filter, deliver, () => {});
        queue.close();
      };
      signal.addEventListener("abort", close, { once: true });
      return messages(topic, queue);
    },

    async [Symbol.asyncDispose]() {
      server.close();
      await closeBroker(mqtt);
      for (const socket of sockets) socket.destroy();
    },
  };
}

function closeBroker(mqtt: Aedes): Promise<void> {
  return new Promise((resolve) => mqtt.close(() => resolve()));
}

/**
 * Gathers the writes of one turn of the event loop into one system call. The broker writes once per message and
 * subscriber; this alone makes it deliver 2.5 to 5 times as much.
 */
function corked(socket: Socket): Socket {
  let isCorked = false;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  const uncork = () => {
    isCorked = false;
    socket.uncork();
  };
  socket.write = (...args: unknown[]) => {
    if (!isCorked && !socket.destroyed) {
      isCorked = true;
      socket.cork();
      setImmediate(uncork);
    }
    return write(...args);
  };
  return socket;
}

async function* messages<P extends string, T>(
  topic: Topic<P, T>,
  packets: AsyncIterable<AedesPublishPacket>,
): AsyncGenerator<Message<P, T>> {
  for await (const { topic: name, payload } of packets) {
    const params = topic.match(name);
    if (!params) continue;
    try {
      yield { ok: true, params, body: topic.decode(Buffer.from(payload)) };
    } catch (fault) {
      if (!Fault.is(fault)) throw fault;
      yield { ok: false, params, fault };
    }
  }
}
