/** One stalled subscriber beside a good one: `node --conditions=source test/bench/broker-stall.ts`. */
import { eventually } from "../rigs/eventually.ts";
import { join, publishPacket } from "../unit/edge/broker/raw.ts";
import { openChild } from "./child.ts";

/** What a stalled subscriber cost the others. */
export interface StallFigures {
  readonly qos: 0 | 1;
  /** Share of the messages that the good subscriber got. */
  readonly goodShare: number;
  /** The longest that the publisher had to wait for the broker to take a message. */
  readonly longestWaitMs: number;
  readonly moreRssMiB: number;
}

const MESSAGES = 50_000;
const BATCH = 50;
const BODY = Buffer.alloc(1024, "x");

/** Publishes 50 MB as fast as the broker takes them, once with and once without a stalled subscriber. */
export async function benchStall(qos: 0 | 1, isStalled: boolean): Promise<StallFigures> {
  await using child = await openChild<{ port: number }>("broker", {});
  const { port } = child.ready;
  using good = await join(port, { client: "good" }, ["load", qos]);
  using stalled = await join(port, { client: "stalled" }, ...(isStalled ? [["load", qos] as const] : []));
  if (isStalled) stalled.socket.pause();
  using writer = await join(port, { client: "writer" });
  const before = await child.usage();
  let longestWaitMs = 0;
  let mostRss = 0;
  for (let sent = 0; sent < MESSAGES; ) {
    for (let i = 0; i < BATCH; i++)
      writer.socket.write(publishPacket("load", BODY, { qos, id: (sent++ % 65_535) + 1 }));
    const began = performance.now();
    // A ping comes back when all before it was taken.
    writer.send(Buffer.from([0xc0, 0]));
    await new Promise<void>((resolve) => {
      const look = () => (writer.of(13).length > 0 ? resolve() : setImmediate(look));
      look();
    });
    writer.packets.length = 0;
    longestWaitMs = Math.max(longestWaitMs, performance.now() - began);
    if (sent % 5000 === 0) mostRss = Math.max(mostRss, (await child.usage()).rssBytes);
  }
  await eventually(() => good.messages.length === MESSAGES).catch(() => {});
  const moreRssMiB = (mostRss - before.rssBytes) / 2 ** 20;
  return { qos, goodShare: good.messages.length / MESSAGES, longestWaitMs, moreRssMiB };
}

if (import.meta.main)
  for (const qos of [0, 1] as const)
    for (const isStalled of [false, true]) console.log({ isStalled, ...(await benchStall(qos, isStalled)) });
