import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import { stepFor } from "#cli/telemetry/picture";
import { plot, scaleOf } from "#cli/telemetry/plot";
import type { Cloud } from "#cloud/main";
import { eventually } from "../../rigs/eventually.ts";
import { type FakeEdge, telemetry } from "../../rigs/fake-edge.ts";
import { type FakeCluster, openFakeCluster } from "../cloud/fake-cluster.ts";
import { connect, plantOn } from "../cloud/rig.ts";
import { type FakeOptions, fakeWorld } from "./fake-world.ts";

describe("a plot", () => {
  const options = { sinceMs: 0, untilMs: 60_000, columns: 40, rows: 6, title: "boiler-1 t in Cel" };
  const ramp = Array.from({ length: 61 }, (_, i) => ({ at: i * 1_000, value: i }));

  test("has its title, round numbers, times, and fits", () => {
    const lines = plot(ramp, { ...options, isUnicode: true });
    expect(lines[0]).toBe("boiler-1 t in Cel");
    expect(lines).toHaveLength(6 + 3);
    expect(lines[1]).toMatch(/^100 ┤/);
    expect(lines[6]).toMatch(/^ {2}0 ┤⣀/);
    expect(lines.at(-1)).toMatch(/\d\d:00:00 +\d\d:00:30 +\d\d:01:00$/);
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(40);
  });

  test("needs no more than ASCII where there is no more", () => {
    const text = plot(ramp, { ...options, isUnicode: false }).join("\n");
    expect(text).toMatch(/^[\x20-\x7e\n]+$/);
    expect(text).toContain("*");
  });

  test("leaves holes open", () => {
    const [left, right] = [ramp.slice(0, 10), ramp.slice(50)].map((part) => part.map(({ at }) => ({ at, value: 1 })));
    const lines = plot([...(left ?? []), ...(right ?? [])], { ...options, isUnicode: false });
    expect(lines.find((line) => line.includes("*"))).toMatch(/\*+ {20,}\*+/);
  });

  test.each([
    [[1, 9], 4, 0, 10, 0],
    [[-0.3, 0.2], 5, -0.3, 0.2, 1],
    [[5, 5], 2, 4.5, 5.5, 1],
    [[], 2, 0, 1, 1],
    [[1_000_000, 1_000_010], 2, 1_000_000, 1_000_010, 0],
  ])("of %j has a round scale", (values, most, bottom, top, decimals) => {
    const scale = scaleOf(values, most);
    expect([scale.bottom, scale.top]).toEqual([expect.closeTo(bottom, 9), expect.closeTo(top, 9)]);
    expect(scale.decimals).toBe(decimals);
  });

  test.each([
    [60_000, 80, 500],
    [3_600_000, 80, 60_000],
    [86_400_000, 80, 600_000],
    [1, 80, 100],
  ])("of %d ms in %d columns has buckets of %d ms", (span, columns, step) => {
    expect(stepFor(span, columns)).toBe(step);
  });
});

describe("with a cloud", () => {
  let cluster: FakeCluster;
  let cloud: Cloud;
  let edge: FakeEdge;
  const now = Date.now();

  beforeEach(async () => {
    cluster = await openFakeCluster();
    cloud = await plantOn(cluster);
    edge = await connect(cloud, "site-a");
    const rows = Array.from({ length: 60 }, (_, i) => {
      const [seq, at] = [i + 1, now - 60_000 + i * 1_000];
      return telemetry(seq, { at, body: JSON.stringify({ at, seq, values: { t: i, mode: "on" } }) });
    });
    const gap = { from: now - 9_000, to: now - 4_000, count: 5, reason: "link lost" };
    edge.say({ kind: "rows", rows: [...rows, telemetry(61, { kind: "gap", at: now, body: JSON.stringify(gap) })] });
    await eventually(() => edge.of("taken").length === 1);
  });
  afterEach(async () => {
    edge[Symbol.dispose]();
    await cloud[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  async function run(line: string, options: FakeOptions = {}) {
    const world = fakeWorld({ env: { LANG: "C.UTF-8" }, ...options });
    const code = await execute([...line.split(" "), "--cloud", cloud.urls.api], world);
    return { code, ...world.said };
  }

  test("telemetry query lists, sums up, and speaks CSV and JSON", async () => {
    const { out } = await run("telemetry query boiler-1 t --limit 2");
    expect(out).toMatch(/^TIME +PROPERTY +VALUE +QUALITY\n\S+Z +t +58 +good\n\S+Z +t +59 +good\n$/);
    expect((await run("telemetry query boiler-1 t --every 1d --since 2d")).out).toMatch(/t +0 +29\.5 +59 +60 +59\n$/);
    expect((await run("telemetry query boiler-1 t -o csv")).out.split("\r\n")).toHaveLength(62);
    expect(JSON.parse((await run("telemetry query boiler-1 -o json --limit 1")).out)[0].values.mode).toBe("on");
  });

  test("telemetry query goes on with what comes, until Ctrl-C", async () => {
    const world = fakeWorld();
    const done = execute(["telemetry", "query", "boiler-1", "t", "--follow", "--cloud", cloud.urls.api], world);
    let seq = 61;
    // What comes before the cloud has heard of the reader is not for him, so it is said until it arrives.
    await eventually(() => {
      seq += 1;
      edge.say({
        kind: "rows",
        rows: [telemetry(seq, { at: now, body: JSON.stringify({ at: now, seq, values: { t: 7 } }) })],
      });
      return world.said.out !== "" || world.said.err !== "";
    });
    world.interrupt();
    expect([await done, world.said.err]).toEqual([0, ""]);
    expect(world.said.out).toMatch(/Z {3}t {3}7 {3}good\n/);
  });

  test("telemetry query without an answer asks for the name", async () => {
    const { code, out, err } = await run("telemetry query boiler-9 t");
    expect([code, out]).toEqual([0, "no telemetry in this time\n"]);
    expect(err).toMatch(/is it boiler-9 t, in namespace default\?.*telemetry\.keep/);
  });

  test("one property is drawn at a terminal; what has no numbers is listed", async () => {
    const { out, err } = await run("telemetry query boiler-1 t --since 1m", { isTty: true, columns: 100 });
    expect(err).toBe("");
    expect(out).toMatch(/^boiler-1 t\n.*┤/);
    expect(Math.max(...out.split("\n").map((line) => [...line].length))).toBeLessThanOrEqual(80);
    expect((await run("telemetry query boiler-1 mode", { isTty: true })).out).toMatch(/^TIME/);
    expect((await run("telemetry query boiler-1 --plot")).err).toContain("a plot shows one property");
  });

  test("the numbers can be checked", async () => {
    expect((await run("telemetry query boiler-1 --verify")).out).toContain("60 messages checked: 0 doubled, 0 holes");
    const at = now;
    edge.say({ kind: "rows", rows: [telemetry(62, { at, body: JSON.stringify({ at, seq: 70, values: { t: 1 } }) })] });
    await eventually(() => edge.of("taken").length === 2);
    const { code, out, err } = await run("telemetry query boiler-1 --verify");
    expect([code, out.includes("61..69"), err.includes("1 holes without a reason")]).toEqual([1, true, true]);
  });

  test("gaps lists what is missing, and a wrong time is told as such", async () => {
    expect((await run("gaps boiler-1")).out).toMatch(/boiler-1 +site-a .* 5s +5 +link lost\n$/);
    expect((await run("gaps boiler-2")).out).toBe("no gaps: nothing was dropped or missed\n");
    expect((await run("gaps --since yesterday")).code).toBe(2);
  });
});
