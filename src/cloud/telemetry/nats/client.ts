/** The one door of the NATS packages, which are loaded when a cloud is told to use them. */
import type { ConsumerMessages, JetStreamClient, JetStreamManager, JsMsg, StreamInfo } from "@nats-io/jetstream";
import type { Authenticator, NatsConnection, TlsOptions } from "@nats-io/transport-node";
import { Fault } from "#std/fault";
import { type NatsConfig, tlsFor } from "../config.ts";
import type { Connection } from "../reach.ts";
import { type Environment, readPapers, readSecret } from "../secret.ts";
import type { Retention } from "../sink.ts";
import { greeters } from "./greeting.ts";

/** What a stream holds now. Numbers are those that the stream gives its messages. */
export interface StreamState {
  readonly first: number;
  readonly last: number;
  readonly messages: number;
  readonly bytes: number;
  /** When it was created; another stream of the same name was at another time. */
  readonly created: string;
}

/** A message of a stream. */
export interface StreamMessage {
  readonly number: number;
  header(name: string): string;
  text(): string;
}

/** Where a message is in the stream, and whether it was not there before. */
export interface Published {
  readonly number: number;
  readonly isNew: boolean;
}

export interface Reading {
  /** @default all of the stream */
  readonly subject?: string;
  readonly fromNumber?: number;
  /** When it came to the stream, in milliseconds since the epoch. */
  readonly fromMs?: number;
  readonly onlyHeads?: boolean;
}

/** A connection to one stream. */
export interface Stream extends Connection {
  /** The longest message that the server takes, with its heads. */
  readonly mostBytes: number;
  state(): Promise<StreamState>;
  /** Resolves when the stream has the message. With an `id` that it has already, it is not kept again. */
  publish(subject: string, id: string, heads: Readonly<Record<string, string>>, body: Uint8Array): Promise<Published>;
  /** The messages that are there now, in the order in which they came. */
  read(reading: Reading): AsyncIterable<StreamMessage>;
  /** A message by its number; undefined when it went. */
  get(number: number): Promise<Pick<StreamMessage, "header"> | undefined>;
  /** Takes away all before a number. */
  purge(before: number): Promise<void>;
}

const CONNECT_MS = 5_000;
const ANSWER_MS = 10_000;
const PING_MS = 10_000;
/** Within this, the server itself knows a message that comes again. */
const DUPLICATES_MS = 600_000;
const NANOS = 1_000_000;
/** Messages that are asked for ahead of who reads. */
const PAGE = 500;

/** Connects, and makes the stream what the configuration says. @throws {Fault} `CONFIG_INVALID` when we are refused. */
export async function openStream(config: NatsConfig, retention: Retention, environment: Environment): Promise<Stream> {
  const [transport, jetstream] = await Promise.all([import("@nats-io/transport-node"), import("@nats-io/jetstream")]);
  const tls = tlsOf(config);
  const servers = await greeters(config.servers, CONNECT_MS);
  const nc = await transport
    .connect({
      servers: servers.map((url) => new URL(url).host),
      name: "skerry",
      authenticator: await authenticatorOf(config, environment),
      ...(tls ? { tls } : {}),
      timeout: CONNECT_MS,
      pingInterval: PING_MS,
      maxPingOut: 2,
      // What was not sent must not come late: a new connection begins by looking at what the stream has.
      reconnect: false,
      noAsyncTraces: true,
    })
    .catch((error: unknown) => {
      throw refusalOf(error) ?? error;
    });
  try {
    const options = { timeout: ANSWER_MS };
    const manager = await jetstream.jetstreamManager(nc, options);
    await prepareStream(manager, config, retention);
    return streamOf({ nc, manager, client: jetstream.jetstream(nc, options), name: config.stream, ...transport });
  } catch (error) {
    await nc.close();
    throw refusalOf(error) ?? error;
  }
}

interface StreamParts extends Pick<typeof import("@nats-io/transport-node"), "headers"> {
  readonly nc: NatsConnection;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly name: string;
}

function streamOf({ nc, manager, client, name, headers }: StreamParts): Stream {
  return {
    mostBytes: nc.info?.max_payload ?? 0,
    ended: nc.closed().then((error) => error ?? new Fault("TELEMETRY_UNREACHABLE", "the connection was lost")),
    state: async () => stateOf(await manager.streams.info(name)),
    async publish(subject, id, heads, body) {
      const all = headers();
      for (const [head, value] of Object.entries(heads)) all.set(head, value);
      const expect = { streamName: name };
      const { seq, duplicate } = await client.publish(subject, body, {
        msgID: id,
        headers: all,
        expect,
        timeout: ANSWER_MS,
      });
      return { number: seq, isNew: !duplicate };
    },
    async *read({ subject, fromNumber, fromMs = 0, onlyHeads = false }) {
      const begin =
        fromNumber !== undefined
          ? ({ deliver_policy: "by_start_sequence", opt_start_seq: fromNumber } as const)
          : fromMs > 0
            ? ({ deliver_policy: "by_start_time", opt_start_time: timeOf(fromMs) } as const)
            : ({ deliver_policy: "all" } as const);
      const which = subject === undefined ? {} : { filter_subjects: subject };
      const consumer = await client.consumers.get(name, { ...begin, ...which, headers_only: onlyHeads });
      let messages: ConsumerMessages | undefined;
      // What was to come may be purged meanwhile; then nothing would end the wait.
      let waited = 0;
      const watch = setInterval(() => void (++waited > 1 && messages?.close()), ANSWER_MS);
      try {
        let left = (await consumer.info()).num_pending;
        if (left === 0) return;
        messages = await consumer.consume({ max_messages: PAGE });
        for await (const message of messages) {
          waited = Number.NEGATIVE_INFINITY;
          yield messageOf(message);
          waited = 0;
          // Not those that come meanwhile: a busy device would never end.
          left = Math.min(left - 1, message.info.pending);
          if (left === 0) return;
        }
        throw new Error(`the stream ended with ${left} messages to come`);
      } finally {
        clearInterval(watch);
        await messages?.close();
        await consumer.delete().catch(() => false);
      }
    },
    async get(number) {
      const found = await manager.streams.getMessage(name, { seq: number });
      return found ? { header: (head) => found.header.get(head) } : undefined;
    },
    async purge(before) {
      await manager.streams.purge(name, { seq: before });
    },
    [Symbol.asyncDispose]: () => nc.close(),
  };
}

/** A time as the server reads it: with a year of four digits. */
function timeOf(ms: number): string {
  return new Date(Math.min(ms, Date.UTC(9999, 0))).toISOString();
}

function messageOf(message: JsMsg): StreamMessage {
  return {
    number: message.seq,
    header: (name) => message.headers?.get(name) ?? "",
    text: () => message.string(),
  };
}

function stateOf({ created, state }: StreamInfo): StreamState {
  const { first_seq: first, last_seq: last, messages, bytes } = state;
  return { first, last, messages, bytes, created: String(created) };
}

/** Creates the stream, or brings its limits to ours. What it is for others beyond that is theirs to say. */
async function prepareStream(
  manager: JetStreamManager,
  { stream: name, subject, replicas }: NatsConfig,
  { keepMs, keepBytes }: Retention,
): Promise<void> {
  const limits = { max_age: keepMs * NANOS, max_bytes: keepBytes, num_replicas: replicas };
  const found = await manager.streams.info(name).catch((error: unknown) => {
    if (error instanceof Error && error.name === "StreamNotFoundError") return undefined;
    throw error;
  });
  if (!found) {
    const always = { storage: "file", retention: "limits", discard: "old" } as const;
    const subjects = [`${subject}.>`];
    await manager.streams.add({ name, subjects, ...always, ...limits, duplicate_window: DUPLICATES_MS * NANOS });
    return;
  }
  const { subjects, storage, retention, discard, duplicate_window: window } = found.config;
  const wrong = [
    ...(subjects.includes(`${subject}.>`) ? [] : [`its subjects are without ${subject}.>`]),
    ...(storage === "file" ? [] : ["it is not in files"]),
    ...(retention === "limits" && discard === "old" ? [] : ["it does not drop the oldest at a limit"]),
    ...(window >= DUPLICATES_MS * NANOS ? [] : [`its duplicate window is under ${DUPLICATES_MS / 60_000} minutes`]),
  ];
  if (wrong.length > 0)
    throw new Fault("CONFIG_INVALID", `the stream ${name} is there, but ${wrong.join(" and ")}`, {
      hint: "Name another stream, which is then created, or change this one.",
    });
  const { max_age, max_bytes, num_replicas } = found.config;
  const differs = max_age !== limits.max_age || max_bytes !== keepBytes || num_replicas !== replicas;
  if (differs) await manager.streams.update(name, limits);
}

async function authenticatorOf(config: NatsConfig, environment: Environment): Promise<Authenticator[]> {
  const { user, passwordFrom, nkeyFrom, credentialsFrom } = config;
  const { credsAuthenticator, nkeyAuthenticator, usernamePasswordAuthenticator } = await import(
    "@nats-io/transport-node"
  );
  const bytes = (text: string) => new TextEncoder().encode(text);
  if (credentialsFrom) return [credsAuthenticator(bytes(readSecret(credentialsFrom, environment)))];
  if (nkeyFrom) return [nkeyAuthenticator(bytes(readSecret(nkeyFrom, environment)))];
  if (user !== undefined && passwordFrom)
    return [usernamePasswordAuthenticator(user, readSecret(passwordFrom, environment))];
  return [];
}

function tlsOf({ servers, tls }: NatsConfig): TlsOptions | undefined {
  const urls = servers.map((url) => new URL(url));
  const isAsked = urls.some(({ protocol }) => protocol === "tls:");
  const files = urls.map(({ hostname }) => tlsFor(hostname, tls)).find((found) => found !== undefined);
  if (!files && !isAsked) return undefined;
  const { authority, certificate, key } = readPapers(files ?? {});
  return {
    ...(authority === undefined ? {} : { ca: authority }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

/** What a person must mend; undefined when another try may go well. */
function refusalOf(error: unknown): Fault | undefined {
  if (!(error instanceof Error) || Fault.is(error)) return undefined;
  const words = `${error.message} ${error.cause instanceof Error ? error.cause.message : ""}`.trim();
  const refused = (hint: string) => new Fault("CONFIG_INVALID", `NATS refuses us: ${words}`, { cause: error, hint });
  if (error.name === "JetStreamNotEnabled")
    return refused("Start nats-server with -js, or with jetstream in its configuration and for this account.");
  if (/AuthorizationError|UserAuthenticationExpiredError|PermissionViolationError/.test(error.name))
    return refused("Correct the user, or what passwordFrom, nkeyFrom or credentialsFrom names, and its rights.");
  if (/certificate|tls|ssl/i.test(words))
    return refused("Give the authority of the server's certificate in tls, or tls: false for a server without.");
  if (/replicas > 1 not supported|no suitable peers|insufficient/i.test(words))
    return refused("Ask for replicas and bytes that the servers have: replicas need a cluster of as many.");
  return undefined;
}
