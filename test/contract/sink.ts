/** What every telemetry sink promises; a new engine is done when it keeps this. */
import { expect, test } from "@jest/globals";
import type { Batch, Kept } from "#cloud/telemetry/sink";
import type { Row } from "#wire/messages";
import { layoutOf } from "#wire/pack";
import { telemetry } from "../rigs/fake-edge.ts";
import type { SinkRig } from "../rigs/sinks.ts";

const ALWAYS = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };
const boiler = { namespace: "default", device: "boiler-1", ...ALWAYS };

function batchOf(rows: readonly Row[], rest: Partial<Batch> = {}): Batch {
  return { node: "site-a", epoch: "one", layouts: [], have: [], takenAt: 5_000, rows, ...rest };
}

const seqs = (kept: readonly Kept[]) => kept.map(({ seq }) => seq);

/** Proves that the sinks which `open` makes keep the contract. */
export function keepsSinkContract(name: string, open: () => SinkRig | Promise<SinkRig>): void {
  const append = ({ sink, note }: SinkRig, batch: Batch) => sink.append(batch, () => note(batch));

  test(`${name}: a row that comes again, in any company, is kept once`, async () => {
    await using rig = await open();
    await append(rig, batchOf([telemetry(1), telemetry(2)]));
    await append(rig, batchOf([telemetry(2), telemetry(3)]));
    await append(rig, batchOf([telemetry(1), telemetry(2), telemetry(3)]));
    expect(seqs(await rig.sink.query(boiler, 100))).toEqual([1, 2, 3]);
    expect(rig.sink.rows).toBe(3);
  });

  test(`${name}: a batch whose note did not reach the disk comes again and is kept once`, async () => {
    await using rig = await open();
    const batch = batchOf([telemetry(1), telemetry(2)]);
    const killed = new Error("killed before the note was on disk");
    await expect(
      rig.sink.append(batch, () => {
        rig.note(batch);
        throw killed;
      }),
    ).rejects.toBe(killed);
    await append(rig, batch);
    expect(seqs(await rig.sink.query(boiler, 100))).toEqual([1, 2]);
  });

  test(`${name}: numbers of other nodes and epochs are other numbers`, async () => {
    await using rig = await open();
    for (const rest of [{}, { epoch: "two" }, { node: "site-b" }]) await append(rig, batchOf([telemetry(1)], rest));
    expect(await rig.sink.query(boiler, 100)).toHaveLength(3);
  });

  test(`${name}: a query gives its span of its device, the oldest first, the latest when it is too much`, async () => {
    await using rig = await open();
    const rows = [3, 1, 5, 2, 4].map((seq) => telemetry(seq));
    await append(rig, batchOf([...rows, telemetry(6, { device: "boiler-2" })]));
    expect(seqs(await rig.sink.query({ ...boiler, sinceMs: 1_002, untilMs: 1_004 }, 100))).toEqual([2, 3, 4]);
    expect(seqs(await rig.sink.query(boiler, 2))).toEqual([4, 5]);
    const scanned: Kept[] = [];
    for await (const row of rig.sink.scan(boiler)) scanned.push(row);
    expect(seqs(scanned)).toEqual([1, 2, 3, 4, 5]);
  });

  test(`${name}: packed rows are told as messages`, async () => {
    await using rig = await open();
    const layout = layoutOf(["temperature", "mode"]);
    const row = telemetry(1, { body: '[7,[21.5,null],{"1":"LINK_LOST: gone"}]', layout: layout.id });
    await append(rig, batchOf([row], { layouts: [layout] }));
    const [kept] = await rig.sink.query(boiler, 1);
    expect(kept?.body).toEqual({ at: 1_001, seq: 7, values: { temperature: 21.5 }, bad: { mode: "LINK_LOST: gone" } });
  });

  test(`${name}: a layout that came with nothing new is known to the rows that follow`, async () => {
    await using rig = await open();
    const layout = layoutOf(["level"]);
    await append(rig, batchOf([], { layouts: [layout] }));
    await append(rig, batchOf([telemetry(1, { body: "[7,[3]]", layout: layout.id })]));
    const [kept] = await rig.sink.query(boiler, 1);
    expect(kept?.body).toEqual({ at: 1_001, seq: 7, values: { level: 3 } });
  });

  test(`${name}: buckets have the least, greatest, mean, number and last of each property`, async () => {
    await using rig = await open();
    const say = (seq: number, at: number, values: object, bad?: object) =>
      telemetry(seq, { at, body: JSON.stringify({ at, seq, values, ...(bad ? { bad } : {}) }) });
    await append(
      rig,
      batchOf([
        say(1, 60_000, { t: 1, mode: "off" }),
        say(2, 119_999, { t: 4 }),
        say(3, 90_000, { t: 4, mode: "on" }),
        say(4, 120_000, { t: 9, mode: "on" }, { t: "out of range" }),
      ]),
    );
    const minute = { at: 60_000, min: undefined, max: undefined, avg: undefined };
    for (const everyMs of [60_000, 30_000 * 2])
      expect(await rig.sink.summarize(boiler, everyMs, [])).toEqual([
        { ...minute, property: "mode", count: 2, last: "on" },
        { at: 60_000, property: "t", min: 1, max: 4, avg: 3, count: 3, last: 4 },
        { ...minute, at: 120_000, property: "mode", count: 1, last: "on" },
      ]);
    const quick = await rig.sink.summarize({ ...boiler, untilMs: 90_000 }, 30_000, ["t"]);
    expect(quick.map(({ at, avg }) => [at, avg])).toEqual([
      [60_000, 1],
      [90_000, 4],
    ]);
  });

  test(`${name}: minutes stay when retention took the rows, also of rows that came late`, async () => {
    await using rig = await open();
    const rows = (from: number) => Array.from({ length: 10 }, (_, i) => telemetry(from + i));
    const keep = { keepMs: 10_000, keepRows: 1_000, keepBytes: 2 ** 40, keepMinutesMs: 1_000_000 };
    await append(rig, batchOf(rows(1)));
    await rig.sink.prune(keep, 100_000);
    expect(rig.sink.rows).toBe(0);
    await append(rig, batchOf(rows(11), { takenAt: 100_000 }));
    await rig.sink.prune(keep, 200_000);
    expect([rig.sink.rows, rig.sink.pruned]).toEqual([0, 20]);
    expect(await rig.sink.summarize(boiler, 60_000, [])).toMatchObject([{ at: 0, count: 20, min: 1, max: 20 }]);
    await rig.sink.prune(keep, 2_000_000);
    expect(await rig.sink.summarize(boiler, 60_000, [])).toEqual([]);
  });
}
