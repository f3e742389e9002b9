import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { Fault } from "#std/fault";
import type { ExternalConfig } from "../broker/config.ts";

/** A message of the other broker. */
export interface RemoteMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

/** A connection to another broker that comes back by itself. */
export interface Remote extends AsyncDisposable {
  readonly isConnected: boolean;
  /** Resolves when the other broker has it; rejects when that is not known: then it must be sent again. */
  publish(message: RemoteMessage): Promise<void>;
  /** Subscribes, now and after every reconnect. */
  subscribe(filter: string, qos: 0 | 1): void;
}

export interface RemotePorts {
  readonly clientId: string;
  /** Is told each time the connection is there, or gone. */
  readonly changed: (isConnected: boolean) => void;
  /** Takes a message; at QoS 1 it is acknowledged to the other broker when this resolves. */
  readonly take: (message: RemoteMessage) => Promise<void>;
}

const RECONNECT_MS = 1000;
const CONNECT_MS = 10_000;
const KEEP_ALIVE_S = 30;

/**
 * Connects to another broker. The session there is kept, so that what it has for us waits while we are away.
 * @throws {Fault} `CONFIG_INVALID` when a file of the configuration can not be read.
 */
export function openRemote(config: ExternalConfig, { clientId, changed, take }: RemotePorts): Remote {
  const client: MqttClient = mqtt.connect(config.url, optionsOf(config, clientId));
  // The library's own `connected` lags behind what it tells.
  let isConnected = false;
  const tell = (now: boolean) => {
    isConnected = now;
    changed(now);
  };
  client.on("connect", () => {
    // The library leaves Nagle on: 40 ms on every small message.
    const stream = client.stream as Partial<Socket>;
    stream.setNoDelay?.(true);
    tell(true);
  });
  client.on("close", () => tell(false));
  client.on("error", () => tell(false));
  // Called before PUBACK is sent, unlike the event.
  client.handleMessage = ({ topic, payload, qos, retain }, done) => {
    take({ topic, payload: Buffer.from(payload), qos, retain }).then(
      () => done(),
      (error: Error) => done(error),
    );
  };
  return {
    get isConnected() {
      return isConnected;
    },
    publish: async ({ topic, payload, qos, retain }) => {
      await client.publishAsync(topic, Buffer.from(payload), { qos, retain });
    },
    subscribe(filter, qos) {
      client.subscribe(filter, config.version === 5 ? { qos, nl: true, rap: true } : { qos });
    },
    async [Symbol.asyncDispose]() {
      await client.endAsync(true);
    },
  };
}

function optionsOf({ version, user, passwordFrom, tls }: ExternalConfig, clientId: string): IClientOptions {
  const { authority, certificate, key } = tls;
  return {
    clientId,
    protocolVersion: version,
    clean: false,
    reconnectPeriod: RECONNECT_MS,
    connectTimeout: CONNECT_MS,
    keepalive: KEEP_ALIVE_S,
    queueQoSZero: false,
    resubscribe: true,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 7 * 86_400 } } : {}),
    ...(user === undefined ? {} : { username: user }),
    ...(passwordFrom ? { password: read(passwordFrom.file).toString().trimEnd() } : {}),
    ...(authority ? { ca: read(authority) } : {}),
    ...(certificate ? { cert: read(certificate) } : {}),
    ...(key ? { key: read(key) } : {}),
  };
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new Fault("CONFIG_INVALID", `bridge: ${file} can not be read`, { cause });
  }
}
