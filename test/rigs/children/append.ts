/** Appends rows to an outbox, three at a time, and says of each that it was accepted, until somebody kills it. */
import { Outbox } from "#edge/outbox";
import { openStore } from "#edge/store";
import { silent } from "#std/log";

const { dataDir } = JSON.parse(process.argv[2] ?? "{}") as { dataDir: string };
const outbox = new Outbox(openStore(dataDir, silent).db, { limitBytes: 1e9, limitMs: 1e9 });
for (let n = 1; ; n += 3) {
  const rows = [n, n + 1, n + 2].map(async (seq) => {
    await outbox.append({ device: "d", namespace: "n", kind: "event", at: Date.now(), body: `${seq}` });
    process.send?.(seq);
  });
  await Promise.all(rows);
}
