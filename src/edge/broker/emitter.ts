import type { Qos } from "./session.ts";

/** A message as aedes hands it on. */
export interface Emitted {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos: Qos;
  readonly retain?: boolean;
}

/**
 * What aedes hands messages to. Its own waits until every subscriber took the message; this one hands it on and is
 * done, so that nobody waits for anybody. What aedes says of itself (`$SYS`) nobody gets.
 */
export function emitter(deliver: (packet: Emitted) => void) {
  return {
    on(_filter: string, _listener: unknown, done?: () => void) {
      done?.();
    },
    removeListener(_filter: string, _listener: unknown, done?: () => void) {
      done?.();
    },
    emit(packet: Emitted, done?: (error?: Error) => void) {
      if (!packet.topic.startsWith("$")) deliver(packet);
      // At once it would make aedes parse within its own parsing.
      if (done) queueMicrotask(done);
    },
    close(done: () => void) {
      setImmediate(done);
    },
  };
}
