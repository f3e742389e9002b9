import type { Duplex } from "node:stream";
import {
  Aedes,
  type AuthenticateError,
  type Client,
  type PublishPacket,
  type SubscribePacket,
  type UnsubscribePacket,
} from "aedes";
import type { Log } from "#std/log";
import type { Access, Peer } from "./access.ts";
import { type Identity, identityOf, ownerOf } from "./acl.ts";
import type { MqttLimits } from "./config.ts";
import { emitter } from "./emitter.ts";
import { Fanout } from "./fanout.ts";
import type { Figures } from "./figures.ts";
import { createIntake } from "./intake.ts";
import type { Ledger } from "./ledger.ts";
import { Line } from "./line.ts";
import { createPersistence } from "./persistence.ts";
import type { Qos, Session } from "./session.ts";
import { createSubscribing } from "./subscribing.ts";
import { Tide } from "./tide.ts";

export interface EnginePorts {
  readonly ledger: Ledger;
  readonly access: Access;
  readonly limits: MqttLimits;
  readonly figures: Figures;
  readonly log: Log;
}

/** The protocol: who connects is proven, what he says is checked, stored and handed on. */
export interface Engine extends AsyncDisposable {
  readonly fanout: Fanout;
  /** Connected clients. */
  readonly clients: number;
  /** True while a client of this id is connected. */
  has(client: string): boolean;
  /** Takes over a connection. */
  take(socket: Duplex, peer: Peer): void;
  /** Takes subscriptions away that the rights do not cover any more, and closes users who are not who they were. */
  enforce(revoked: ReadonlySet<string>): Promise<void>;
}

/** What is known of one connection. */
interface Member {
  readonly line: Line;
  readonly peer: Peer;
  /** Ends a connection that does not say CONNECT in time. */
  readonly late: NodeJS.Timeout;
  identity: Identity | undefined;
  session: Session | undefined;
  will: PublishPacket | undefined;
  isResumed: boolean;
  isBehind: boolean;
}

/** How often it is looked for clients that take nothing. */
const WATCH_MS = 250;

/**
 * aedes is the state machine of the protocol: CONNECT, acknowledgements, keep-alive, wills. What it does not do well is
 * done here: bytes are checked before it sees them (`guard.ts`), messages are on disk before it acknowledges them
 * (`ledger.ts`), and its fan-out, which waits for every subscriber, is replaced (`fanout.ts`).
 */
export async function openEngine({ ledger, access, limits, figures, log }: EnginePorts): Promise<Engine> {
  const tide = new Tide(limits);
  const members = new Map<Client, Member>();
  /** The connection that each client id belongs to, from the moment its rights are proven. */
  const owners = new Map<string, Client>();
  const fanout = new Fanout({ ledger, figures, overrun, limits });

  const rightsOf = (session: Session) => access.rights(identityOf(session.owner));
  const memberOf = (client: Client) => members.get(client);
  const intake = createIntake({ ledger, limits, figures, log, rightsOf });
  const subscribing = createSubscribing({ ledger, limits, figures, fanout, log, rightsOf });

  /** A message that a connected session could not take: told once, until it has caught up. */
  function overrun(session: Session, qos: Qos): void {
    const client = owners.get(session.client);
    const member = client && memberOf(client);
    if (!member) return;
    figures.drop(session.client, qos === 0 ? "buffer-full" : "backlog-full");
    if (!member.isBehind) log.warn("subscriber too slow, messages dropped", { client: session.client, qos });
    member.isBehind = true;
    // At QoS 1 nothing may be lost in silence: who has no queue on disk and can not follow, is told by the end.
    if (qos > 0) refuse(member, "backlog");
  }

  function refuse(member: Member, reason: string): void {
    figures.refuse(reason);
    log.warn("client closed", { client: member.session?.client, address: member.peer.address, reason });
    member.line.socket.destroy();
  }

  async function enter(
    client: Client,
    user: string | undefined,
    password: Buffer | undefined,
  ): Promise<Session | 2 | 4 | 5> {
    const member = memberOf(client);
    if (!member) return 5;
    const identity = await access.identify(member.peer, user, password);
    if (typeof identity === "number") return identity;
    member.identity = identity;
    const owner = ownerOf(identity);
    const { will } = member;
    // The will is a publication: its right is proven now, and again when it is published.
    if (will && !access.rights(identity).mayPublish(will.topic)) return 5;
    const known = ledger.session(client.id);
    // A session belongs to who began it; a client id alone gives nobody the messages of another.
    if (known && known.owner !== owner) return 2;
    // Take-over in one step: the old connection is gone before the new one exists [MQTT-3.1.4-2].
    owners.get(client.id)?.close();
    if (client.closed) return 5;
    owners.set(client.id, client);
    member.isResumed = !client.clean && known?.isDurable === true;
    const session = await ledger.begin(client.id, client.clean, owner);
    member.session = session;
    const lost = [...session.subscriptions.keys()].filter((filter) => !access.rights(identity).maySubscribe(filter));
    await ledger.unsubscribe(session, lost);
    return session;
  }

  const mqtt = await Aedes.createBroker({
    // Its limits are checked here, where they can change: what stands here is never reached.
    connectTimeout: 2 ** 31 - 1,
    maxInflightInbound: 0,
    persistence: createPersistence<Client>({
      ledger,
      sessionOf: (client) => memberOf(client)?.session,
      isFresh: intake.isFresh,
      isResumed: (id) => {
        const client = owners.get(id);
        return client !== undefined && memberOf(client)?.isResumed === true;
      },
    }),
    mq: emitter((packet) =>
      fanout.deliver({ ...packet, payload: packet.payload as Uint8Array, retain: packet.retain === true }),
    ),
    preConnect: (client, packet, done) => {
      const member = memberOf(client);
      clearTimeout(member?.late);
      if (member) member.will = packet.will as PublishPacket | undefined;
      done(null, member !== undefined);
    },
    authenticate: (client, user, password, done) => {
      const no = (returnCode: number, error = new Error("refused")) => {
        figures.refuse(CODES[returnCode] ?? "unavailable");
        log.warn("connect refused", { client: client.id, address: memberOf(client)?.peer.address, code: returnCode });
        done(Object.assign(error, { returnCode }) as AuthenticateError, false);
      };
      enter(client, user, password).then(
        (entered) => (typeof entered === "number" ? no(entered) : done(null, true)),
        (error: Error) => no(3, error),
      );
    },
    authorizePublish: (client, packet, done) => {
      try {
        if (!client) throw new Error("no client");
        const member = memberOf(client);
        if (!member?.session) throw new Error("not connected");
        const saved = intake.publish({ line: member.line, session: member.session }, packet);
        if (saved) saved.then(() => done(null), done);
        else done(null);
      } catch (error) {
        done(error as Error);
      }
    },
    // Nobody comes here but aedes itself, with PRESENT, which is nothing to subscribe to.
    authorizeSubscribe: (_, __, done) => done(null, null),
  });
  mqtt.on("clientError", (client: Client, error: Error) => log.debug("client lost", { client: client.id, error }));
  mqtt.on("connectionError", (_: Client, error: Error) => log.debug("connection lost", { error }));
  (mqtt as unknown as NodeJS.EventEmitter).on("error", (error: unknown) => log.error("broker broke", { error }));
  mqtt.on("clientReady", (client) => {
    const member = memberOf(client);
    if (!member?.session || client.closed) return;
    figures.connects++;
    member.session.attach(member.line);
    member.line.open();
  });
  // A client that went away while it connected is registered all the same; nobody would ever take it out.
  mqtt.on("client", (client) => {
    if (client.closed) (mqtt as unknown as { deleteClient(id: string): void }).deleteClient(client.id);
  });

  /** Takes SUBSCRIBE and UNSUBSCRIBE out of the hands of aedes, which loses answers of repeated filters and the order. */
  async function changeFilters(client: Client, packet: FilterPacket): Promise<void> {
    const member = memberOf(client);
    if (!member?.session) return;
    const { line, session } = member;
    const { messageId = 0 } = packet;
    try {
      if (packet.cmd === "unsubscribe")
        await subscribing.unsubscribe({ line, session }, messageId, packet.unsubscriptions);
      else {
        const filters = packet.subscriptions.map(({ topic, qos }) => [topic, qos as Qos] as const);
        await subscribing.subscribe({ line, session }, messageId, filters);
      }
    } catch (error) {
      log.error("subscription not stored, its client is closed", { client: session.client, error });
      line.socket.destroy();
    }
  }

  const watch = setInterval(() => {
    for (const member of members.values()) {
      if (member.line.stalledFor(WATCH_MS) >= limits.stallTime) refuse(member, "stalled");
      else if (member.isBehind && member.line.hasRoom) member.isBehind = false;
    }
  }, WATCH_MS);
  watch.unref();

  return {
    fanout,
    get clients() {
      return owners.size;
    },

    has: (client) => owners.has(client),

    take(socket, peer) {
      const refused = ({ reason }: { readonly reason: string }) => {
        figures.refuse(reason);
        log.warn("client closed", { client: client.id ?? undefined, address: peer.address, reason });
      };
      const line = new Line({ socket, address: peer.address, limits, tide, refused });
      const client = mqtt.handle(socket);
      contain(client, socket, changeFilters);
      const member: Member = {
        line,
        peer,
        late: setTimeout(() => refuse(member, "connect timeout"), limits.connectTimeout),
        identity: undefined,
        session: undefined,
        will: undefined,
        isResumed: false,
        isBehind: false,
      };
      members.set(client, member);
      socket.once("close", () => {
        // aedes publishes the will when it hears of the end; it still has to know whose it is.
        client.close();
        clearTimeout(member.late);
        members.delete(client);
        const { session } = member;
        session?.detach(line);
        if (owners.get(client.id) !== client) return;
        owners.delete(client.id);
        if (session) ledger.left(session);
      });
    },

    async enforce(revoked) {
      for (const member of [...members.values()]) {
        const { identity } = member;
        if (identity?.is === "user" && revoked.has(identity.name)) refuse(member, "user changed");
      }
      for (const session of [...ledger.sessions]) {
        const lost = [...session.subscriptions.keys()].filter((filter) => !rightsOf(session).maySubscribe(filter));
        if (lost.length === 0) continue;
        log.warn("subscriptions taken away", { client: session.client, filters: lost });
        await ledger.unsubscribe(session, lost);
      }
    },

    async [Symbol.asyncDispose]() {
      clearInterval(watch);
      await new Promise<void>((resolve) => mqtt.close(() => resolve()));
      for (const { line } of members.values()) line.socket.destroy();
    },
  };
}

const CODES: Readonly<Record<number, string>> = { 2: "client id in use", 4: "bad password", 5: "not authorized" };

type FilterPacket = SubscribePacket | UnsubscribePacket;

/** What is known of the inside of aedes' client. */
interface Inside {
  _nextBatch: (error?: unknown) => void;
  readonly _parser: NodeJS.EventEmitter;
  readonly _keepaliveTimer: NodeJS.Timeout | null;
}

/**
 * A throw while the bytes of one client are handled costs that client, never the process; and what changes its filters
 * goes to `changeFilters`.
 */
function contain(
  client: Client,
  socket: Duplex,
  changeFilters: (client: Client, packet: FilterPacket) => Promise<void>,
): void {
  const inner = client as unknown as Inside;
  const next = inner._nextBatch;
  const guarded = (error?: unknown) => {
    try {
      next(error);
    } catch (cause) {
      socket.destroy(cause as Error);
    }
  };
  inner._nextBatch = guarded;
  socket.removeListener("readable", next);
  socket.on("readable", () => guarded());
  const { _parser: parser } = inner;
  const [enqueue] = parser.listeners("packet");
  parser.removeAllListeners("packet");
  parser.on("packet", (packet: FilterPacket | { readonly cmd: "other" }) => {
    if (packet.cmd !== "subscribe" && packet.cmd !== "unsubscribe") return enqueue?.call(parser, packet);
    inner._keepaliveTimer?.refresh();
    void changeFilters(client, packet);
  });
}
