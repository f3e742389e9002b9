import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { ExternalConfig } from "../broker/config.ts";

/** A message of the other broker. */
export interface RemoteMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

/** Whether the other broker is connected, and why not. */
export interface RemoteState {
  readonly online: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly since: number;
  /** What happened last, while it is not. */
  readonly reason?: string;
}

/** A connection to another broker that comes back by itself. */
export interface Remote extends AsyncDisposable {
  readonly isConnected: boolean;
  /**
   * Resolves when the other broker has it; rejects when that is not known, because the connection ended: then it must be
   * sent again.
   * @throws {Fault} `MESSAGE_INVALID` when the other broker says that it will never take it; MQTT 5 only.
   */
  publish(message: RemoteMessage): Promise<void>;
  /** Subscribes, now and after every reconnect. */
  subscribe(filter: string, qos: 0 | 1): void;
}

export interface RemotePorts {
  readonly clientId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Is told when the connection is there, gone, or has another reason not to be there. */
  readonly changed: (state: RemoteState) => void;
  /** Takes a message; at QoS 1 it is acknowledged to the other broker when this resolves. */
  readonly take: (message: RemoteMessage) => Promise<void>;
}

const RECONNECT_MS = 1000;
const CONNECT_MS = 10_000;
const KEEP_ALIVE_S = 30;
/** A quota is a matter of time; every other refusal of MQTT 5 is not. **Source:** MQTT 5.0, table 3-4. */
const QUOTA_EXCEEDED = 151;

/**
 * Connects to another broker. The session there is kept, so that what it has for us waits while we are away. Certificates
 * and password are read anew for every connection.
 * @throws {Fault} `CONFIG_INVALID` when a file of the configuration can not be read.
 */
export function openRemote(config: ExternalConfig, { clientId, clock, log, changed, take }: RemotePorts): Remote {
  const { url } = config;
  const client: MqttClient = mqtt.connect(url, { ...optionsOf(config, clientId), ...secretsOf(config) });
  // The library's own `connected` lags behind what it tells.
  let state: RemoteState = { online: false, since: clock.now() };
  let why: string | undefined;
  /** Numbers of what is on its way. */
  const open = new Set<number>();

  function tell(online: boolean, reason?: string): void {
    if (online === state.online && reason === state.reason) return;
    const since = online === state.online ? state.since : clock.now();
    state = reason === undefined ? { online, since } : { online, since, reason };
    if (online) log.info("remote broker up", { url });
    else log.warn("remote broker down", { url, reason });
    changed(state);
  }

  client.on("connect", () => {
    // The library leaves Nagle on: 40 ms on every small message.
    const stream = client.stream as Partial<Socket>;
    stream.setNoDelay?.(true);
    why = undefined;
    tell(true);
  });
  client.on("error", (error) => {
    why = describe(error);
  });
  client.on("close", () => {
    // What is open is sent again by who published it: the library would do so in an order and number of its own.
    for (const id of [...open]) client.removeOutgoingMessage(id);
    tell(false, why ?? "the connection was closed");
    why = undefined;
  });
  client.on("reconnect", () => {
    try {
      Object.assign(client.options, secretsOf(config));
    } catch (error) {
      log.error("remote broker's secrets not read", { url, error });
    }
  });
  // Called before PUBACK is sent, unlike the event.
  client.handleMessage = ({ topic, payload, qos, retain }, done) => {
    take({ topic, payload: Buffer.from(payload), qos, retain }).then(
      () => done(),
      (error: Error) => {
        log.error("message of the remote broker not taken, it will come again", { topic, error });
        done(error);
        client.stream.destroy();
      },
    );
  };

  return {
    get isConnected() {
      return state.online;
    },
    publish: ({ topic, payload, qos, retain }) =>
      new Promise((resolve, reject) => {
        let id: number | undefined;
        client.publish(topic, Buffer.from(payload), { qos, retain }, (error) => {
          if (id !== undefined) open.delete(id);
          if (error) reject(refusalOf(error, topic) ?? error);
          else resolve();
        });
        if (qos === 0) return;
        id = client.getLastMessageId();
        open.add(id);
      }),
    subscribe(filter, qos) {
      const options = config.version === 5 ? ({ qos, nl: true, rap: true } as const) : { qos };
      client.subscribe(filter, options, (error, granted = []) => {
        const isRefused = granted.some(({ qos }) => (qos as number) >= 128) || (error && "code" in error);
        if (isRefused) log.warn("subscription refused by the remote broker", { url, filter });
      });
    },
    async [Symbol.asyncDispose]() {
      await client.endAsync(true);
    },
  };
}

function optionsOf({ version, user }: ExternalConfig, clientId: string): IClientOptions {
  return {
    clientId,
    protocolVersion: version,
    clean: false,
    reconnectPeriod: RECONNECT_MS,
    // A refusal may end: a password is corrected, a broker comes out of its maintenance.
    reconnectOnConnackError: true,
    connectTimeout: CONNECT_MS,
    keepalive: KEEP_ALIVE_S,
    queueQoSZero: false,
    resubscribe: true,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 7 * 86_400 } } : {}),
    ...(user === undefined ? {} : { username: user }),
  };
}

function secretsOf({ passwordFrom, tls: { authority, certificate, key } }: ExternalConfig): IClientOptions {
  return {
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

/** A refusal of MQTT 5 that no repetition changes. */
function refusalOf(error: Error, topic: string): Fault | undefined {
  const code = "code" in error ? Number(error.code) : 0;
  if (!(code >= 128) || code === QUOTA_EXCEEDED) return undefined;
  return new Fault("MESSAGE_INVALID", `the remote broker refuses ${topic}: ${error.message}`, { cause: error });
}

/** What failed, also where Node tried several addresses and says nothing in the message. */
function describe(error: Error): string {
  const code = "code" in error ? String(error.code) : error.name;
  return error.message === "" ? code : error.message;
}
