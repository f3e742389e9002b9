import { Queue } from "#std/queue";
import type { Carrier } from "#wire/carrier";
import { decodeFrame, encodeFrame } from "#wire/frame";
import { type CloudMessage, type EdgeMessage, edgeMessage } from "#wire/messages";

/** The cloud's end of a connection without a network. */
export interface FakeCloud {
  /** The edge's end. */
  readonly carrier: Carrier;
  /** What the edge said, oldest first. */
  readonly heard: readonly EdgeMessage[];
  of<K extends EdgeMessage["kind"]>(kind: K): readonly Extract<EdgeMessage, { kind: K }>[];
  say(message: CloudMessage): void;
  sayBytes(bytes: Uint8Array): void;
  /** The cloud ends the connection. */
  hangUp(): void;
  /** True when the edge ended it. */
  readonly isClosed: boolean;
}

export function fakeCloud(): FakeCloud {
  const frames = new Queue<Uint8Array>(10_000);
  const heard: EdgeMessage[] = [];
  let isClosed = false;
  return {
    heard,
    of: (kind) => heard.filter((message) => message.kind === kind) as never,
    say: (message) => frames.push(encodeFrame(message)),
    sayBytes: (bytes) => frames.push(bytes),
    hangUp: () => frames.close(),
    get isClosed() {
      return isClosed;
    },
    carrier: {
      peer: "cloud",
      address: "rig",
      isBehind: false,
      ping: async () => true,
      bufferedBytes: 0,
      frames,
      send: (frame) => heard.push(decodeFrame(edgeMessage, frame)),
      close() {
        isClosed = true;
        frames.close();
      },
    },
  };
}
