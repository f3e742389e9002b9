import { describe, expect, test } from "@jest/globals";
import { Outbox } from "#edge/outbox";
import { openStore } from "#edge/store";
import { silent } from "#std/log";
import { openChild } from "../../rigs/child.ts";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";

const LIMITS = { limitBytes: 100_000, limitMs: 60_000 };
const ROW_BYTES = 80;

function outboxRig(limits: Partial<typeof LIMITS> = {}, dataDir = ":memory:") {
  const store = openStore(dataDir, silent);
  const outbox = new Outbox(store.db, { ...LIMITS, ...limits });
  const append = (body: string, at = 0) =>
    outbox.append({ device: "boiler-1", namespace: "default", kind: "telemetry", at, body });
  const bodies = () => outbox.read(1, 1e9, 1e9).map(({ body }) => body);
  return { store, outbox, append, bodies };
}

const appendAll = async (append: (body: string, at?: number) => Promise<void>, bodies: readonly string[]) => {
  for (const body of bodies) await append(body);
};

test("rows are numbered in order and read back", async () => {
  const { outbox, append } = outboxRig();
  await Promise.all(["a", "b", "c"].map((body) => append(body)));
  const rows = outbox.read(2, 3, 1e6);
  expect(rows.map(({ seq, body }) => [seq, body])).toEqual([
    [2, "b"],
    [3, "c"],
  ]);
  expect(rows[0]).toEqual({ seq: 2, device: "boiler-1", namespace: "default", kind: "telemetry", at: 0, body: "b" });
  expect([outbox.head, outbox.rows, outbox.bytes]).toEqual([3, 3, 3 * (ROW_BYTES + 1)]);
});

test("a batch has as many rows as fit, and at least one", async () => {
  const { outbox, append } = outboxRig();
  await appendAll(append, ["x".repeat(1000), "y".repeat(1000), "z"]);
  expect(outbox.read(1, 3, 1).map(({ seq }) => seq)).toEqual([1]);
  expect(outbox.read(1, 3, 2 * (1000 + ROW_BYTES)).map(({ seq }) => seq)).toEqual([1, 2]);
});

test("what the cloud has goes, and numbers are never used again, also after a restart", async () => {
  using dir = folder();
  const first = outboxRig({}, dir.path);
  await appendAll(first.append, ["a", "b", "c"]);
  await first.outbox.take([
    [1, 1],
    [3, 3],
  ]);
  expect(first.bodies()).toEqual(["b"]);
  await first.outbox.take([[2, 2]]);
  expect([first.outbox.rows, first.outbox.bytes]).toEqual([0, 0]);
  first.store[Symbol.dispose]();
  const { outbox, append, store } = outboxRig({}, dir.path);
  expect(outbox.head).toBe(3);
  await append("d");
  expect(outbox.read(1, 99, 1e6).map(({ seq }) => seq)).toEqual([4]);
  expect(store.epoch).toBe(first.store.epoch);
  store[Symbol.dispose]();
});

test("a new file is a new history", () => {
  expect(outboxRig().store.epoch).not.toBe(outboxRig().store.epoch);
});

describe("over the limit of bytes", () => {
  const row = "x".repeat(1000 - ROW_BYTES);

  test("the oldest go, a tenth at once, and it is told", async () => {
    const { outbox, append, bodies } = outboxRig({ limitBytes: 10_000 });
    await appendAll(append, Array(10).fill(row));
    expect([outbox.bytes, outbox.dropped]).toEqual([10_000, 0]);
    await append(row);
    expect(outbox.bytes).toBeLessThanOrEqual(9_000);
    const lost = [{ namespace: "default", device: "boiler-1", from: 0, to: 0, count: 2 }];
    expect(outbox.untold()).toEqual([{ range: [1, 2], reason: "size limit", lost }]);
    expect([outbox.dropped, outbox.rows, bodies()]).toEqual([2, 9, Array(9).fill(row)]);
  });

  test("a row that is larger than everything is kept until the next", async () => {
    const { outbox, append } = outboxRig({ limitBytes: 1000 });
    await append("a");
    await append("x".repeat(5000));
    expect(outbox.read(1, 9, 1e6).map(({ seq }) => seq)).toEqual([2]);
  });

  test("bytes are bytes, whatever the text, and nothing is left of them when all is taken", async () => {
    const { outbox, append } = outboxRig();
    await appendAll(append, ["🔥".repeat(100), "°C", "é"]);
    const bytes = outbox.bytes;
    expect(bytes).toBe(400 + 3 + 2 + 3 * ROW_BYTES);
    await outbox.take([[1, 2]]);
    expect(outbox.bytes).toBe(2 + ROW_BYTES);
    await outbox.take([[3, 3]]);
    expect(outbox.bytes).toBe(0);
  });

  test("what was told is forgotten once the cloud has heard", async () => {
    const { outbox, append } = outboxRig({ limitBytes: 1000 });
    await appendAll(append, Array(3).fill(row));
    for (const dropped of outbox.untold()) await outbox.told(dropped);
    expect(outbox.untold()).toEqual([]);
  });
});

describe("over the limit of age", () => {
  test("rows go and are told, younger ones stay", async () => {
    const { outbox, append, bodies } = outboxRig();
    for (const at of [1000, 2000, 3000]) await append(`${at}`, at);
    await outbox.expire(62_500);
    expect(bodies()).toEqual(["3000"]);
    const lost = [{ namespace: "default", device: "boiler-1", from: 1_000, to: 2_000, count: 2 }];
    expect(outbox.untold()).toEqual([{ range: [1, 2], reason: "age limit", lost }]);
    await outbox.expire(62_500);
    expect(outbox.dropped).toBe(2);
  });

  test("a clock that was wrong for a while does not take young rows along", async () => {
    const { outbox, append, bodies } = outboxRig();
    const now = 1_700_000_000_000;
    for (const at of [now, 5, now + 1, 6, now + 2]) await append(`${at}`, at);
    await outbox.expire(now + 3);
    expect(bodies()).toEqual(expect.arrayContaining([`${now}`, `${now + 1}`, `${now + 2}`]));
  });
});

test("a clock that is set forward makes nothing older: what waits gets the whole limit once more, also after a restart", async () => {
  using dir = folder();
  const first = outboxRig({}, dir.path);
  await appendAll(first.append, ["in 1970"]);
  const now = 1_700_000_000_000;
  await first.outbox.clockWasSet(now);
  await first.append("now", now + 10_000);
  await first.outbox.expire(now + 1_000);
  first.store[Symbol.dispose]();
  const { outbox, bodies, store } = outboxRig({}, dir.path);
  await outbox.expire(now + LIMITS.limitMs - 1_000);
  expect(bodies()).toEqual(["in 1970", "now"]);
  await outbox.expire(now + LIMITS.limitMs + 1);
  expect(bodies()).toEqual(["now"]);
  store[Symbol.dispose]();
});

describe("a file that lost its last rows", () => {
  async function rolledBack(kept: number) {
    const rig = outboxRig();
    await appendAll(rig.append, ["a", "b", "c"].slice(0, kept));
    const outbox = new Outbox(rig.store.db, LIMITS);
    const append = (body: string) => outbox.append({ device: "d", namespace: "n", kind: "telemetry", at: 0, body });
    const numbered = () => outbox.read(1, 1e9, 1e9).map(({ seq, body }) => [seq, body]);
    return { outbox, append, numbered };
  }

  test("does not give the numbers again that the cloud has: what came meanwhile gets others", async () => {
    const { outbox, append, numbered } = await rolledBack(3);
    await append("new");
    await append("newer");
    expect(await outbox.meet([[1, 7]])).toBe(true);
    expect(numbered()).toEqual([
      [8, "new"],
      [9, "newer"],
    ]);
    await append("newest");
    expect(outbox.head).toBe(10);
    expect(outbox.rows).toBe(3);
    expect(await outbox.meet([[1, 10]])).toBe(false);
    expect(outbox.rows).toBe(0);
  });

  test("is told from one that lost nothing", async () => {
    const { outbox, append, numbered } = await rolledBack(3);
    await append("new");
    expect(await outbox.meet([[1, 3]])).toBe(false);
    expect(numbered()).toEqual([[4, "new"]]);
  });
});

describe("when the disk says no", () => {
  test("the row is refused and the counters follow", async () => {
    const { outbox, append } = outboxRig();
    await append("a");
    const broken = outbox.append({ device: "d", namespace: "n", kind: "event", at: 0, body: "b" }, () => {
      throw new Error("no");
    });
    await expect(broken).rejects.toThrow("no");
    expect([outbox.rows, outbox.bytes, outbox.head]).toEqual([1, ROW_BYTES + 1, 1]);
  });

  test("a full disk costs only what does not fit", async () => {
    const { outbox, append, store } = outboxRig({ limitBytes: 1e9 });
    const pages = store.db.prepare<[], { page_count: number }>("pragma page_count").get()?.page_count ?? 0;
    store.db.exec(`pragma max_page_count = ${pages + 3}`);
    const outcomes = await Promise.allSettled(["a", "x".repeat(1e6), "b"].map((body) => append(body)));
    const kept = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(outcomes[1]).toMatchObject({ status: "rejected", reason: { code: "DISK_FULL" } });
    const rows = outbox.read(1, 99, 1e9);
    expect([outbox.rows, rows.length]).toEqual([kept, kept]);
    store.db.exec("pragma max_page_count = 100000");
    await append("c");
    expect(outbox.read(1, 99, 1e9).at(-1)).toMatchObject({ seq: outbox.head, body: "c" });
  });

  test("what must be on disk with a row is there or neither is", async () => {
    const { outbox, store } = outboxRig();
    const row = { device: "d", namespace: "n", kind: "event", at: 0, body: "b" } as const;
    await outbox.append(row, () => store.db.exec("insert into counter values ('u', 7)"));
    expect(store.db.prepare("select seq from counter").all()).toEqual([{ seq: 7 }]);
  });
});

test("a row is kept when the process is killed right after it was accepted", async () => {
  using dir = folder();
  await using child = openChild("append", { dataDir: dir.path });
  await eventually(() => child.said.length >= 30);
  await child.kill();
  const { outbox, store } = outboxRig({ limitBytes: 1e9 }, dir.path);
  const last = Number(child.said.at(-1));
  const kept = new Set(outbox.read(1, 1e9, 1e9).map(({ body }) => Number(body)));
  expect(Array.from({ length: last }, (_, i) => i + 1).filter((n) => n <= 500 && !kept.has(n))).toEqual([]);
  expect(outbox.head).toBeGreaterThanOrEqual(last);
  store[Symbol.dispose]();
});
