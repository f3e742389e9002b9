import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { eventually } from "../../../rigs/eventually.ts";
import { connectPacket, join, openRaw, publishPacket, pubrelPacket, type Raw } from "./raw.ts";

/** What a run with kills found. */
export interface KillReport {
  readonly kills: number;
  readonly acknowledged: readonly [qos1: number, qos2: number];
  readonly missing: number;
  readonly doubledAtQos2: number;
  readonly repeatedAtQos1: number;
  readonly outOfOrder: number;
}

const WINDOW = 50;

/** How the rounds end, in which publishers write and then a subscriber reads. */
export interface Ending {
  readonly writes: number;
  readonly reads: number;
  /** What the broker's process finds in its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called before the broker of a round starts; after the last one with nothing. */
  arm(round: number | undefined): void;
  /** Resolves when the broker has ended. `done` counts what was acknowledged, or read. */
  end(child: ChildProcess, done: () => number): Promise<void>;
}

/** Kills at random moments, up to so many messages after each other; the reader is killed from as soon as it reads. */
export function killAtRandom(writes: number, most: number): Ending {
  let isReading = false;
  return {
    writes,
    reads: 2,
    arm(round = writes) {
      isReading = round >= writes;
    },
    async end(child, done) {
      const goal = done() + 1 + (isReading ? 0 : Math.floor(Math.random() * most));
      await eventually(() => done() >= goal, 60_000);
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
}

/** Starts a broker in a process of its own. @throws when it ends before it listens. */
export async function startBroker(dataDir: string, env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const started = await tryBroker(dataDir, env);
  if (started) return started;
  throw new Error("the broker ended before it listened");
}

async function tryBroker(dataDir: string, env: Readonly<Record<string, string>>): Promise<Running | undefined> {
  const path = fileURLToPath(new URL("./killed-broker.ts", import.meta.url));
  const options = { execArgv: ["--conditions=source"], env: { ...process.env, ...env } };
  const child = fork(path, [dataDir], { ...options, stdio: "inherit" });
  const exited = once(child, "exit").then(() => [undefined]);
  const [port] = (await Promise.race([once(child, "message"), exited])) as [number | undefined];
  return port === undefined ? undefined : { child, port };
}

/** Messages that wait in the broker's queues. */
async function queued(child: ChildProcess): Promise<number> {
  child.send("queued");
  const [messages] = (await once(child, "message")) as [number];
  return messages;
}

/** A publisher that keeps what is not acknowledged, as MQTT asks of it, and sends it again after a reconnect. */
function publisher(qos: 1 | 2) {
  const open = new Map<number, { readonly value: number; released: boolean }>();
  let next = 1;
  let acknowledged = 0;
  let raw: Raw | undefined;
  let seen = 0;
  const fill = () => {
    while (raw && open.size < WINDOW) {
      const value = next++;
      const id = (value % 60_000) + 1;
      open.set(id, { value, released: false });
      raw.send(publishPacket(`load/${qos}`, `${value}`, { qos, id }));
    }
  };
  return {
    get acknowledged() {
      return acknowledged;
    },
    values: () => next - 1,
    openValues: () => [...open.values()].map(({ value }) => value),
    async connect(port: number) {
      // The broker may have ended already.
      const mine = await openRaw(port).catch(() => undefined);
      if (!mine) return;
      mine.send(connectPacket({ client: `writer-${qos}`, clean: false }));
      await eventually(() => mine.of(2).length === 1 || mine.isClosed);
      if (mine.isClosed) return;
      seen = 0;
      mine.socket.on("data", () => {
        for (; seen < mine.packets.length; seen++) {
          const { type, body } = mine.packets[seen] ?? { type: 0, body: Buffer.alloc(2) };
          const id = body.readUInt16BE(0);
          const entry = open.get(id);
          if (!entry) continue;
          if (type === 5) {
            entry.released = true;
            mine.send(pubrelPacket(id));
          } else if (type === 4 || type === 7) {
            open.delete(id);
            acknowledged++;
          }
        }
        fill();
      });
      for (const [id, { value, released }] of open)
        mine.send(released ? pubrelPacket(id) : publishPacket(`load/${qos}`, `${value}`, { qos, id, dup: true }));
      raw = mine;
      fill();
    },
    stop() {
      raw?.socket.destroy();
      raw = undefined;
    },
  };
}

/** Ends a broker again and again while two publishers fill the queue of a subscriber that is away; then reads it. */
export async function killBroker(dataDir: string, ending: Ending): Promise<KillReport> {
  const { writes, reads, env = {}, arm, end } = ending;
  const first = await startBroker(dataDir);
  (await join(first.port, { client: "away", clean: false }, ["load/#", 2])).socket.destroy();
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  const writers = [publisher(1), publisher(2)] as const;
  const received: [number[], number[]] = [[], []];
  const pending = new Set<number>();
  for (let round = 0; round < writes + reads; round++) {
    arm(round);
    const running = await tryBroker(dataDir, env);
    if (!running) continue;
    const { child, port } = running;
    if (round < writes) {
      for (const writer of writers) await writer.connect(port);
      await end(child, () => writers[0].acknowledged + writers[1].acknowledged);
      for (const writer of writers) writer.stop();
    } else {
      // The reader is killed from as well: what it took and did not acknowledge comes again.
      using reader = await openRaw(port).catch(() => undefined);
      reader?.send(connectPacket({ client: "away", clean: false }));
      await end(child, () => reader?.messages.length ?? 0);
      if (!reader) continue;
      await reader.closed();
      take(reader, pending, received);
    }
  }
  arm(undefined);
  const { child, port } = await startBroker(dataDir, env);
  using reader = await join(port, { client: "away", clean: false });
  await eventually(async () => (await queued(child)) === 0, 120_000);
  take(reader, pending, received);
  child.kill("SIGKILL");
  await once(child, "exit");
  return judge(received, writers, writes + reads);
}

/** Takes messages as MQTT asks of a receiver: at QoS 2 an identifier that is not released is still the same message. */
function take(reader: Raw, pending: Set<number>, received: readonly [number[], number[]]): void {
  let next = 0;
  for (const { type, body } of reader.packets) {
    if (type === 6) pending.delete(body.readUInt16BE(0));
    if (type !== 3) continue;
    const message = reader.messages[next++];
    if (!message || (message.qos === 2 && pending.has(message.id))) continue;
    if (message.qos === 2) pending.add(message.id);
    received[message.topic === "load/1" ? 0 : 1].push(Number(message.text));
  }
}

function judge(
  received: readonly [number[], number[]],
  writers: readonly ReturnType<typeof publisher>[],
  kills: number,
): KillReport {
  let missing = 0;
  let outOfOrder = 0;
  const repeated = received.map((values) => values.length - new Set(values).size);
  for (const [i, writer] of writers.entries()) {
    const got = new Set(received[i]);
    const open = new Set(writer.openValues());
    for (let value = 1; value <= writer.values(); value++) if (!got.has(value) && !open.has(value)) missing++;
    let last = 0;
    for (const value of got) {
      if (value < last) outOfOrder++;
      last = value;
    }
  }
  const [repeatedAtQos1 = 0, doubledAtQos2 = 0] = repeated;
  const acknowledged = [writers[0]?.acknowledged ?? 0, writers[1]?.acknowledged ?? 0] as const;
  return { kills, acknowledged, missing, doubledAtQos2, repeatedAtQos1, outOfOrder };
}
