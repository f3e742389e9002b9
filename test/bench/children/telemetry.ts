/** The part of a cloud that takes rows, in a process of its own: tunnel, reports, SQLite; no cluster. */
import { Reports } from "#cloud/devices/reports";
import { openStore } from "#cloud/store";
import { openTunnel } from "#cloud/tunnel/server";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import type { CarrierTls } from "#wire/carrier";
import { childOptions, serveParent } from "../child.ts";

const { dataDir, tls } = childOptions<{ dataDir: string; tls: CarrierTls }>();
const db = openStore(dataDir, silent);
const reports = new Reports(db);
const tunnel = await openTunnel({
  host: "127.0.0.1",
  port: 0,
  tls,
  program: "bench",
  admits: () => true,
  enter: async () => {},
  duplicate: () => undefined,
  have: (node, epoch) => reports.have(node, epoch),
  async handle(event) {
    if (event.on !== "message" || event.message.kind !== "rows") return;
    const { node, session, message } = event;
    const ranges = await reports.take(node, session.hello.epoch, message.rows, Date.now(), message.layouts);
    session.send({ kind: "taken", ranges: [...ranges] });
  },
  log: silent,
  clock: systemClock,
});
serveParent({ port: tunnel.port }, async () => {
  await tunnel[Symbol.asyncDispose]();
  db[Symbol.dispose]();
});
