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

/** Starts a broker in a process of its own. */
export async function startBroker(dataDir: string): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const path = fileURLToPath(new URL("./killed-broker.ts", import.meta.url));
  const child = fork(path, [dataDir], { execArgv: ["--conditions=source"], stdio: "inherit" });
  const [port] = (await once(child, "message")) as [number];
  return { child, port };
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
      const mine = await openRaw(port);
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

/** Kills a broker again and again while two publishers fill the queue of a subscriber that is away; then reads it. */
export async function killBroker(dataDir: string, kills: number, perRound: number): Promise<KillReport> {
  let { child, port } = await startBroker(dataDir);
  (await join(port, { client: "away", clean: false }, ["load/#", 2])).socket.destroy();
  const writers = [publisher(1), publisher(2)] as const;
  for (let round = 0; round < kills; round++) {
    const before = writers.map((writer) => writer.acknowledged);
    for (const writer of writers) await writer.connect(port);
    const goal = 1 + Math.floor(Math.random() * perRound);
    await eventually(() => writers.every((writer, i) => writer.acknowledged - (before[i] ?? 0) >= goal), 30_000);
    child.kill("SIGKILL");
    await once(child, "exit");
    for (const writer of writers) writer.stop();
    ({ child, port } = await startBroker(dataDir));
  }
  const received: [number[], number[]] = [[], []];
  const pending = new Set<number>();
  // The reader is killed from as well: what it took and did not acknowledge comes again.
  for (let round = 0; round < 3; round++) {
    using reader = await join(port, { client: "away", clean: false });
    if (round < 2) await eventually(() => reader.messages.length > 0, 60_000);
    else await eventually(async () => (await queued(child)) === 0, 120_000);
    if (round < 2) {
      child.kill("SIGKILL");
      await once(child, "exit");
      ({ child, port } = await startBroker(dataDir));
    }
    take(reader, pending, received);
  }
  child.kill("SIGKILL");
  await once(child, "exit");
  return judge(received, writers, kills);
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
