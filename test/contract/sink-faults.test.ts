/** What goes wrong between a cloud and a telemetry engine: nothing accepted is missing, nothing is doubled. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Kept } from "#cloud/telemetry/sink";
import { Fault } from "#std/fault";
import type { Row } from "#wire/messages";
import { type Child, openChild } from "../rigs/child.ts";
import { engines } from "../rigs/engines.ts";
import { eventually } from "../rigs/eventually.ts";
import { telemetry } from "../rigs/fake-edge.ts";
import { folder } from "../rigs/folder.ts";
import { keptLog } from "../rigs/log.ts";
import { forgetIds } from "../rigs/nats.ts";
import type { Server } from "../rigs/programs.ts";
import { type SinkRig, type SinkRigOptions, sinkRig } from "../rigs/sinks.ts";
import { openTraitor } from "../rigs/traitor.ts";

const ROWS = 2_000;
const ALWAYS = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

describe.each(engines)("$name", (engine) => {
  if (engine.obstacle) return test.skip(`is not tried here: ${engine.obstacle}`, () => {});
  let server: Server;
  beforeAll(async () => {
    server = await engine.open();
  }, 60_000);
  afterAll(async () => server[Symbol.asyncDispose]());
  const open = (rest: SinkRigOptions = {}, port = server.port) => sinkRig(engine.config(port), rest);

  test("an engine that is killed again and again has every row of every node once", async () => {
    await using rig = await open();
    const nodes = ["a", "b", "c"].map((name) => sender(rig, `killed-${name}`, 4_000));
    const all = Promise.all(nodes);
    for (let kill = 0; kill < 4; kill++) {
      const goal = rig.sink.rows + 200;
      await eventually(() => rig.sink.rows > goal, 30_000);
      await server.stop("SIGKILL");
      await server.start();
    }
    const counts = await all;
    for (const name of ["a", "b", "c"]) expect(await seqsOf(rig, `killed-${name}`)).toEqual(upTo(4_000));
    // Otherwise nothing was proven.
    expect(counts.reduce((sum, { failures }) => sum + failures, 0)).toBeGreaterThan(0);
  }, 120_000);

  test("a batch whose answer was lost comes again and is kept once", async () => {
    await using traitor = await openTraitor(server.port);
    await using rig = await open({}, traitor.port);
    await take(rig, "betrayed", [1, 2, 3]);
    traitor.betray(engine.keeps);
    await expect(take(rig, "betrayed", [4, 5, 6])).rejects.toMatchObject({ code: "TELEMETRY_UNREACHABLE" });
    expect(traitor.betrayals).toBe(1);
    await eventually(() => rig.sink.isUp);
    await take(rig, "betrayed", [4, 5, 6]);
    await take(rig, "betrayed", [6, 7]);
    expect(await seqsOf(rig, "betrayed")).toEqual(upTo(7));
    expect(rig.reports.have("betrayed", "one")).toEqual([[1, 7]]);
  }, 60_000);

  test("a cloud that was killed before it noted a batch does not keep it twice, nor count it twice in a minute", async () => {
    using dir = folder();
    {
      await using rig = await open({ dataDir: dir.path });
      await take(rig, "unnoted", [1, 2]);
      const batch = { ...batchOf("unnoted", [3, 4]), have: [] };
      const killed = new Error("killed");
      const kill = () => {
        throw killed;
      };
      await expect(rig.sink.append(batch, kill)).rejects.toBe(killed);
    }
    await using rig = await open({ dataDir: dir.path });
    await take(rig, "unnoted", [3, 4, 5]);
    expect(await seqsOf(rig, "unnoted")).toEqual(upTo(5));
    const buckets = await rig.sink.summarize(spanOf("unnoted"), 60_000, []);
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(5);
  }, 60_000);

  test("a cloud that is killed at any moment finds every row once when it comes again", async () => {
    using dir = folder();
    const nodes = ["x", "y", "z"].map((name) => `random-${name}`);
    const given = { dataDir: dir.path, sink: engine.config(server.port), nodes, rows: ROWS };
    const taken = (child: Child) => child.said.length;
    for (let kill = 0; kill < 5; kill++) {
      await using child = openChild("keep", given);
      // A different one of the steps of a batch each time: none of them is in the rhythm of this.
      const goal = 3 + 11 * kill;
      await eventually(() => taken(child) >= goal, 30_000);
      await child.kill();
    }
    await using last = openChild("keep", given);
    await eventually(() => last.said.includes("done"), 60_000);
    await last.kill();
    await using rig = await open({ dataDir: dir.path });
    for (const node of nodes) {
      expect(await seqsOf(rig, node)).toEqual(upTo(ROWS));
      const buckets = await rig.sink.summarize(spanOf(node), 60_000, []);
      expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(ROWS);
    }
  }, 120_000);

  test("while the engine is away everything is refused at once, and it is said once", async () => {
    const log = keptLog();
    await using rig = await open({ log });
    await take(rig, "away", [1]);
    await server.stop("SIGKILL");
    try {
      await eventually(async () => {
        await take(rig, "away", [2]).catch(() => {});
        return !rig.sink.isUp;
      });
      const refusals = await Promise.all(
        upTo(1_000).map((seq) => take(rig, "away", [seq + 1]).catch((error: unknown) => error)),
      );
      expect(refusals.every((error) => Fault.is(error, "TELEMETRY_UNREACHABLE"))).toBe(true);
      await expect(rig.sink.query(spanOf("away"), 1)).rejects.toMatchObject({ code: "TELEMETRY_UNREACHABLE" });
      expect(rig.reports.have("away", "one")).toEqual([[1, 1]]);
    } finally {
      await server.start();
    }
    await eventually(() => rig.sink.isUp, 30_000);
    await take(rig, "away", [2, 3]);
    expect(await seqsOf(rig, "away")).toEqual(upTo(3));
    expect(log.of("telemetry engine lost, nodes keep their rows")).toHaveLength(1);
    expect(log.of("telemetry engine is back")).toHaveLength(1);
  }, 60_000);

  test("a cloud that starts without its engine finds it later", async () => {
    await server.stop("SIGKILL");
    const log = keptLog();
    await using rig = await open({ log });
    expect(rig.sink.isUp).toBe(false);
    expect(log.of("telemetry engine unreachable, nodes keep their rows")).toHaveLength(1);
    await server.start();
    await eventually(() => rig.sink.isUp, 30_000);
    await take(rig, "late", [1]);
    expect(await seqsOf(rig, "late")).toEqual([1]);
  }, 60_000);

  test("what no engine can read is kept as it is, and breaks no query of others", async () => {
    await using rig = await open();
    const bodies = [
      "no JSON at all",
      '{"seq":2,"values":{"t":"a\\u0000b","u":"\\ud800"}}',
      '{"seq":3,"values":{"t":1e999999}}',
      `{"seq":4,"values":{"t":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`,
      "with a \0 within",
      '{"seq":6,"values":null,"bad":3}',
      '{"seq":7,"values":{"t":7}}',
    ];
    const rows = bodies.map((body, i) => telemetry(i + 1, { device: "odd", body }));
    await rig.reports.take("odd", "one", rows, 5_000);
    expect(await seqsOf(rig, "odd")).toEqual(upTo(7));
    const buckets = await rig.sink.summarize(spanOf("odd"), 60_000, []);
    expect(buckets.map(({ property }) => property)).toContain("t");
    await rig.sink.prune({ keepMs: 1, keepRows: 1_000_000, keepBytes: 2 ** 28, keepMinutesMs: 1e12 }, 6_000);
    expect(await seqsOf(rig, "odd")).toEqual([]);
  });

  return undefined;
});

test("a batch that was not noted is kept once, also when the stream has forgotten its ids", async () => {
  const [engine] = engines.filter(({ name }) => name === "NATS JetStream");
  if (!engine || engine.obstacle) return;
  await using server = await engine.open();
  using dir = folder();
  {
    await using rig = await sinkRig(engine.config(server.port), { dataDir: dir.path });
    await take(rig, "forgotten", [1, 2]);
    const kill = () => {
      throw new Error("killed");
    };
    await expect(rig.sink.append({ ...batchOf("forgotten", [3, 4]), have: [] }, kill)).rejects.toThrow("killed");
  }
  await forgetIds(server.port, "SKERRY_TELEMETRY");
  await using rig = await sinkRig(engine.config(server.port), { dataDir: dir.path });
  await take(rig, "forgotten", [3, 4, 5]);
  expect(await seqsOf(rig, "forgotten")).toEqual(upTo(5));
}, 60_000);

/** Says rows as a node does: what fails is said again, until all of it is here. */
async function sender(rig: SinkRig, node: string, rows: number): Promise<{ readonly failures: number }> {
  let failures = 0;
  for (let from = 1; from <= rows; from += 20) {
    const seqs = Array.from({ length: Math.min(20, rows - from + 1) }, (_, i) => from + i);
    for (;;) {
      try {
        await take(rig, node, seqs);
        break;
      } catch (error) {
        if (!Fault.is(error, "TELEMETRY_UNREACHABLE")) throw error;
        failures++;
        await eventually(() => rig.sink.isUp, 30_000);
      }
    }
  }
  return { failures };
}

function take({ reports }: SinkRig, node: string, seqs: readonly number[]): Promise<unknown> {
  return reports.take(node, "one", rowsOf(node, seqs), 5_000);
}

function batchOf(node: string, seqs: readonly number[]) {
  return { node, epoch: "one", rows: rowsOf(node, seqs), layouts: [], takenAt: 5_000 };
}

function rowsOf(device: string, seqs: readonly number[]): readonly Row[] {
  return seqs.map((seq) => telemetry(seq, { device }));
}

async function seqsOf({ sink }: SinkRig, device: string): Promise<readonly number[]> {
  const found: Kept[] = [];
  for await (const kept of sink.scan(spanOf(device))) found.push(kept);
  return found.map(({ seq }) => seq);
}

function spanOf(device: string) {
  return { namespace: "default", device, ...ALWAYS };
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
