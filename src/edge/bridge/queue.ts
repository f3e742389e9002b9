import { join } from "node:path";
import type { Log } from "#std/log";
import { openDatabase } from "#std/sqlite";

const migrations = [
  `create table outgoing (
     seq integer primary key autoincrement, topic text not null, payload blob not null, retain integer not null
   );`,
];

/** A message that waits for the other broker. */
export interface Outgoing {
  readonly seq: number;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: number;
}

export interface QueueLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** Messages for another broker, in order and on disk until it has them. */
export interface BridgeQueue extends Disposable {
  readonly messages: number;
  readonly bytes: number;
  /** Messages that the limit dropped since the start: always the oldest. */
  readonly dropped: number;
  append(topic: string, payload: Uint8Array, retain: boolean): Promise<void>;
  /** The next after a number, at most so many. */
  after(seq: number, most: number): readonly Outgoing[];
  delete(message: Outgoing): Promise<void>;
}

/** Deletions may wait for company: what is sent twice is allowed, what is lost is not. */
const GATHER_MS = 50;

/** Opens `bridge.db`. @param dataDir - a folder, or `:memory:`. */
export function openBridgeQueue(dataDir: string, limits: QueueLimits, log: Log): BridgeQueue {
  const path = dataDir === ":memory:" ? dataDir : join(dataDir, "bridge.db");
  const db = openDatabase({ path, migrations, log });
  const insert = db.prepare<[string, Uint8Array, number]>(
    "insert into outgoing (topic, payload, retain) values (?, ?, ?)",
  );
  const remove = db.prepare<[number]>("delete from outgoing where seq = ?");
  const read = db.prepare<[number, number], Outgoing>("select * from outgoing where seq > ? order by seq limit ?");
  const size = db.prepare<[], { messages: number; bytes: number }>(
    "select count(*) as messages, coalesce(sum(length(payload)), 0) as bytes from outgoing",
  );
  let { messages, bytes } = size.get() ?? { messages: 0, bytes: 0 };
  let dropped = 0;
  let isFull = false;

  function drop({ seq, payload }: Outgoing): boolean {
    if (remove.run(seq).changes === 0) return false;
    messages--;
    bytes -= payload.length;
    if (messages < limits.messages / 2 && bytes < limits.bytes / 2) isFull = false;
    return true;
  }

  return {
    get messages() {
      return messages;
    },
    get bytes() {
      return bytes;
    },
    get dropped() {
      return dropped;
    },
    append: (topic, payload, retain) =>
      db.commit(() => {
        insert.run(topic, payload, retain ? 1 : 0);
        messages++;
        bytes += payload.length;
        while (messages > limits.messages || bytes > limits.bytes) {
          const [oldest] = read.all(0, 1);
          if (!oldest || !drop(oldest)) break;
          dropped++;
          if (!isFull) log.warn("bridge queue full, oldest messages dropped", { messages, bytes });
          isFull = true;
        }
      }),
    after: (seq, most) => read.all(seq, most),
    delete: (message) => db.commit(() => void drop(message), GATHER_MS),
    [Symbol.dispose]: () => db[Symbol.dispose](),
  };
}
