import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { BridgeQueue, Outgoing } from "./queue.ts";
import type { Remote } from "./remote.ts";

export interface OutgoingPorts {
  readonly queue: BridgeQueue;
  readonly remote: Pick<Remote, "isConnected" | "publish">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Sends what the queue holds, in order, and takes out what the other broker has. */
export interface Sender {
  /** Says that there is a message. */
  ring(): void;
  /** Says that the connection is there, or gone. */
  changed(): void;
  /** Messages that the other broker will never take: each was dropped. */
  readonly refused: number;
  serve(signal: AbortSignal): Promise<void>;
}

/** Messages under way to the other broker. */
const WINDOW = 100;
/** After a message was not taken, the next try comes with a new connection or after this time. */
const RETRY_MS = 1000;
/** A broker that closes as soon as it gets a message does not want it. */
const CLOSES_WITHIN_MS = 5000;
const MOST_CLOSES = 5;

/**
 * Many messages are under way at once, until the connection ends and none was acknowledged. Then they go one by one, so
 * that the one that the other broker does not take is known: MQTT 3.1.1 can only close. What was closed for five times
 * is dropped and told, because everything else waits behind it.
 */
export function createSender({ queue, remote, clock, log }: OutgoingPorts): Sender {
  const bell = new Bell();
  let sentUpTo = 0;
  let underWay = 0;
  let window = WINDOW;
  let retryAt = 0;
  let refused = 0;
  let closes = { seq: 0, count: 0 };

  async function drop(message: Outgoing, reason: string): Promise<void> {
    refused++;
    const { topic, payload } = message;
    log.error("message refused by the remote broker, dropped", { topic, bytes: payload.length, reason });
    await queue.delete(message);
  }

  async function failed(message: Outgoing, sentAt: number, error: unknown): Promise<void> {
    if (Fault.is(error, "MESSAGE_INVALID")) return drop(message, error.message);
    const { seq } = message;
    const wasAlone = window === 1;
    window = 1;
    // Whether it arrived is not known: from here on all is sent again, in order.
    sentUpTo = Math.min(sentUpTo, seq - 1);
    retryAt = clock.monotonic() + RETRY_MS;
    if (!wasAlone || clock.monotonic() - sentAt > CLOSES_WITHIN_MS) return;
    closes = { seq, count: closes.seq === seq ? closes.count + 1 : 1 };
    if (closes.count >= MOST_CLOSES) await drop(message, "the connection was closed for it");
  }

  async function send(message: Outgoing): Promise<void> {
    underWay++;
    const sentAt = clock.monotonic();
    try {
      const { topic, payload, retain } = message;
      await remote.publish({ topic, payload, qos: 1, retain: retain === 1 });
      window = WINDOW;
      await queue.delete(message);
    } catch (error) {
      await failed(message, sentAt, error).catch((error: unknown) =>
        log.error("bridged message not deleted", { error }),
      );
    } finally {
      underWay--;
      bell.ring();
    }
  }

  return {
    ring: () => bell.ring(),
    changed() {
      retryAt = 0;
      bell.ring();
    },
    get refused() {
      return refused;
    },
    async serve(signal) {
      while (!signal.aborted) {
        if (remote.isConnected && underWay < window && clock.monotonic() >= retryAt)
          for (const message of queue.after(sentUpTo, window - underWay)) {
            sentUpTo = message.seq;
            void send(message);
          }
        await bell.wait(signal, RETRY_MS);
      }
    },
  };
}
