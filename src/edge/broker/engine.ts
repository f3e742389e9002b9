import type { Duplex } from "node:stream";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { Access, Peer } from "./access.ts";
import { identityOf, ownerOf } from "./acl.ts";
import type { MqttLimits } from "./config.ts";
import { Connection, type ConnectionPorts, type Entry, type Refusal } from "./connection.ts";
import type { Connect } from "./decode.ts";
import { Fanout } from "./fanout.ts";
import type { Figures } from "./figures.ts";
import { createIntake } from "./intake.ts";
import type { Ledger } from "./ledger.ts";
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

/** All connections: who connects is proven, what he says is checked, stored and handed on. */
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

/** How often it is looked for clients that take nothing. */
const WATCH_MS = 250;

export function openEngine({ ledger, access, limits, figures, log }: EnginePorts): Engine {
  const connections = new Set<Connection>();
  /** The connection that each client id belongs to, from the moment its rights are proven. */
  const owners = new Map<string, Connection>();
  /** What has to be over before a client id begins anew: its last connection's will, or another one that begins. */
  const turns = new Map<string, Promise<void>>();
  const fanout = new Fanout({ ledger, figures, overrun, limits });
  const rightsOf = (session: Session) => access.rights(identityOf(session.owner));
  const intake = createIntake({
    ledger,
    limits,
    figures,
    log,
    rightsOf,
    hear: (topic, payload, retain) => fanout.hear(topic, payload, retain),
  });
  const subscribing = createSubscribing({ ledger, limits, figures, fanout, log, rightsOf });
  const tide = new Tide(limits);
  const ports: ConnectionPorts = { ledger, intake, subscribing, fanout, limits, tide, figures, log, enter, left };

  /** A message that a connected session could not take: told once, until it has caught up. */
  function overrun(session: Session, qos: Qos): void {
    const connection = owners.get(session.client);
    if (!connection) return;
    figures.drop(session.client, qos === 0 ? "buffer-full" : "backlog-full");
    if (!connection.isBehind) log.warn("subscriber too slow, messages dropped", { client: session.client, qos });
    connection.isBehind = true;
    // At QoS 1 nothing may be lost in silence: who has no queue on disk and can not follow, is told by the end.
    if (qos > 0) connection.refuse("backlog");
  }

  /** Waits until nothing else is done for a client id, and lets others wait for `work`. */
  function inTurn<T>(client: string, work: () => Promise<T>): Promise<T> {
    const before = turns.get(client) ?? Promise.resolve();
    const result = before.then(work);
    const over = result.then(
      () => {},
      () => {},
    );
    turns.set(client, over);
    void over.then(() => {
      if (turns.get(client) === over) turns.delete(client);
    });
    return result;
  }

  async function enter(connection: Connection, hello: Connect): Promise<Entry | Refusal> {
    const isWanted = () => !connection.isClosed;
    const identity = await access.identify(connection.peer, hello.user, hello.password, isWanted);
    if (typeof identity === "number") return identity;
    const { client } = connection;
    const owner = ownerOf(identity);
    // The will is a publication: its right is proven now, and again when it is published.
    if (hello.will && !access.rights(identity).mayPublish(hello.will.topic)) return 5;
    return inTurn(client, async () => {
      if (connection.isClosed) return 3;
      // A session belongs to who began it; a client id alone gives nobody the messages of another.
      const known = ledger.session(client);
      if (known && known.owner !== owner) return 2;
      // Take-over: the old connection and its will are over before the new one exists [MQTT-3.1.4-2].
      const old = owners.get(client);
      old?.close();
      await old?.over;
      owners.set(client, connection);
      const isResumed = !hello.clean && known?.isDurable === true;
      try {
        const session = await ledger.begin(client, hello.clean, owner);
        const lost = [...session.subscriptions.keys()].filter((filter) => !rightsOf(session).maySubscribe(filter));
        if (lost.length > 0) await ledger.unsubscribe(session, lost);
        if (connection.isClosed) ledger.left(session);
        return { identity, session, isResumed };
      } catch (error) {
        if (owners.get(client) === connection) owners.delete(client);
        if (!Fault.is(error)) throw error;
        return 3;
      }
    });
  }

  function left(connection: Connection): void {
    const { client, session, over } = connection;
    connections.delete(connection);
    if (owners.get(client) !== connection) return;
    owners.delete(client);
    void inTurn(client, async () => {
      await over;
      if (session) ledger.left(session);
    });
  }

  const watch = setInterval(() => {
    for (const connection of connections) {
      const { line } = connection;
      if (line.stalledFor(WATCH_MS) >= limits.stallTime) connection.refuse("stalled");
      else if (connection.isBehind && line.hasRoom) connection.isBehind = false;
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
      connections.add(new Connection(socket, peer, ports));
    },

    async enforce(revoked) {
      for (const connection of [...connections]) {
        const { identity } = connection;
        if (identity?.is === "user" && revoked.has(identity.name)) connection.refuse("user changed");
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
      for (const connection of [...connections]) connection.close();
      while (turns.size > 0) await Promise.all(turns.values());
    },
  };
}
