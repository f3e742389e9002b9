/** Keeps the database bounded: forgets old history, and events after an hour. */
import type { Api } from "./api.ts";
import { events } from "./builtin/events.ts";
import type { KubeObject } from "./resource.ts";
import type { History } from "./store.ts";

const EVERY_MS = 60_000;
/** Rows that one transaction forgets: 500 take some milliseconds. */
const CHUNK = 500;
/** Events are hints for people; after this time they are old news. **Source:** kube-apiserver, `--event-ttl`. */
const EVENT_LIFE_MS = 3_600_000;

/** Tidies up every minute until the signal aborts. */
export async function serveJanitor(api: Api, keep: History, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await api.clock.sleep(EVERY_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await tidy(api, keep);
    } catch (error) {
      api.log.error("history not compacted", { error });
    }
  }
}

/** Tidies up once. */
export async function tidy({ store, clock }: Pick<Api, "store" | "clock">, keep: History): Promise<void> {
  for (;;) {
    const old = store.idle(events.key, clock.now() - EVENT_LIFE_MS, CHUNK);
    if (old.length === 0) break;
    await store.write((tx) => {
      for (const { key, ns, name, uid } of old) {
        const row = tx.get(key, ns, name);
        if (row?.uid === uid) tx.remove(row, JSON.parse(row.doc) as KubeObject);
      }
    });
  }
  while ((await store.compact(keep, CHUNK)) === CHUNK);
}
