/** A disk that is full, or breaks, under edge or cloud: nothing that was accepted is lost, and what could not be kept is told. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { eventually } from "../rigs/eventually.ts";
import { compileShim, openShim, type Rule, type Shim, whyNoShim } from "../rigs/faults/shim.ts";
import { folder } from "../rigs/folder.ts";
import { openWay, type Role, type Way } from "../rigs/way.ts";
import { join } from "../unit/edge/broker/raw.ts";

const reason = whyNoShim();
const LIMIT_MS = 60_000;

const faults = {
  "is full": { op: "write", match: ".db", action: "fail", error: "ENOSPC" },
  "does not write": { op: "write", match: ".db", action: "fail", error: "EIO" },
  "does not sync": { op: "sync", match: ".db", action: "fail", error: "EIO" },
} as const satisfies Record<string, Rule>;

if (reason) test.skip(`broken disks are not tried here: ${reason}`, () => {});
else
  describe("a disk", () => {
    let dir: ReturnType<typeof folder>;
    beforeAll(() => {
      dir = folder();
      compileShim(dir.path);
    });
    afterAll(() => dir[Symbol.dispose]());

    async function withDisk(role: Role, name: string, run: (way: Way, shim: Shim) => Promise<void>): Promise<void> {
      const shim = openShim(dir.path, name.replaceAll(" ", "-"), { cuts: true });
      await using way = await openWay({ devices: 1, values: 5, env: { [role]: shim.env } });
      await run(way, shim);
    }

    test.each(Object.entries(faults))(
      "that %s under the edge costs no accepted value, and is told until it works",
      async (name, fault) => {
        await withDisk("edge", name, async (way, shim) => {
          await way.online();
          const before = await way.state();
          expect(before.ready).toBe(true);
          shim.set(fault);
          await eventually(async () => !(await way.state()).ready, LIMIT_MS);
          const kept = way.hear();
          // The devices are read on, and their values are on the local broker.
          await eventually(async () => (await way.state()).values > before.values + 100, LIMIT_MS);
          expect(way.hear() - kept).toBeLessThanOrEqual(1);
          shim.set();
          await eventually(async () => (await way.state()).ready, LIMIT_MS);
          const goal = way.hear() + 10;
          await eventually(() => way.hear() > goal, LIMIT_MS);
          expect(way.lines.length).toBeLessThan(10);
          // And then the power goes.
          shim.set({ op: "sync", match: ".db", action: "kill before", at: 5, cut: true });
          await way.ended("edge");
          shim.set();
          way.start("edge");
          const { missing, doubled, unexplained, lost } = await way.judge();
          expect({ missing, doubled, unexplained }).toEqual({ missing: 0, doubled: 0, unexplained: 0 });
          expect(lost[name === "is full" ? "disk full" : "disk failed"]).toBeGreaterThanOrEqual(20);
        });
      },
      120_000,
    );

    test.each(Object.entries(faults))(
      "that %s under the cloud costs nothing: the edge keeps it meanwhile",
      async (name, fault) => {
        await withDisk("cloud", `cloud ${name}`, async (way, shim) => {
          await way.online();
          shim.set(fault);
          await eventually(async () => (await way.state()).backlog > 20, LIMIT_MS);
          shim.set();
          await eventually(async () => (await way.state()).backlog < 5, LIMIT_MS);
          const { missing, doubled, unexplained, lost } = await way.judge();
          expect({ missing, doubled, unexplained }).toEqual({ missing: 0, doubled: 0, unexplained: 0 });
          expect(lost["disk full"] ?? lost["disk failed"]).toBeUndefined();
        });
      },
      120_000,
    );

    test("that takes three seconds for each sync does not hold up values at the site, nor their order in the cloud", async () => {
      await withDisk("edge", "slow", async (way, shim) => {
        await way.online();
        const { mqtt } = await way.state();
        using reader = await join(mqtt, { client: "reader" }, ["devices/+/telemetry", 0]);
        const ages: number[] = [];
        reader.socket.on("data", () => {
          for (const { text } of reader.messages.splice(0))
            ages.push(Date.now() - (JSON.parse(text) as { at: number }).at);
        });
        shim.set({ op: "sync", match: ".db", action: "delay", delayMs: 3_000 });
        await eventually(() => shim.hits(0) >= 3, LIMIT_MS);
        shim.set();
        // A loop that waited for the disk would have let values be as old as a sync takes.
        expect(ages.length).toBeGreaterThan(50);
        expect(Math.max(...ages)).toBeLessThan(1_500);
        const { missing, doubled, disordered, unexplained } = await way.judge();
        expect({ missing, doubled, disordered, unexplained }).toEqual({
          missing: 0,
          doubled: 0,
          disordered: 0,
          unexplained: 0,
        });
      });
    }, 120_000);
  });
