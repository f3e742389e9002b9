/** What somebody who speaks SQL sees of telemetry in PostgreSQL. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { cloudConfig } from "#cloud/config";
import { sinkConfig } from "#cloud/telemetry/config";
import { parseYaml } from "#std/yaml";
import { layoutOf } from "#wire/pack";
import { telemetry } from "../rigs/fake-edge.ts";
import { noPostgres, openPostgresServer, type PostgresServer } from "../rigs/postgres.ts";
import { enough, sinkRig } from "../rigs/sinks.ts";

const page = readFileSync("docs/telemetry.md", "utf8");
const snippets = (language: string) =>
  page
    .split("```")
    .filter((part, i) => i % 2 === 1 && part.startsWith(`${language}\n`))
    .map((part) => part.slice(language.length + 1));
const MINUTE = Date.UTC(2026, 0, 31, 8, 0);

test("the configurations of the page are valid", () => {
  const found = snippets("yaml");
  expect(found.length).toBeGreaterThan(2);
  for (const text of found) expect(() => cloudConfig.parse(parseYaml(text, "docs/telemetry.md"))).not.toThrow();
});

describe("PostgreSQL", () => {
  if (noPostgres) return test.skip(`is not tried here: ${noPostgres}`, () => {});
  let server: PostgresServer;
  beforeAll(async () => {
    server = await openPostgresServer();
  }, 60_000);
  afterAll(async () => server[Symbol.asyncDispose]());

  test("a reader who may see the views alone gets values, qualities and minutes", async () => {
    await using rig = await sinkRig(sinkConfig.parse({ kind: "postgres", url: server.url(), schema: "plant" }));
    const layout = layoutOf(["temperature", "mode", "on", "far"]);
    const bodies = [
      '[1,[21.5,"auto",true,null]]',
      '[2,[22.5,"hand",false,9],{"0":"OUT_OF_RANGE: hot","3":"LINK_LOST: gone"}]',
    ];
    const packed = bodies.map((body, i) => telemetry(i + 1, { at: MINUTE + i * 1_000, body, layout: layout.id }));
    const whole = { at: MINUTE, seq: 3, values: { level: 1, huge: 1e308 }, bad: { pump: "DEVICE_TIMEOUT: silent" } };
    const plain = telemetry(3, { device: "tank-1", at: MINUTE, body: JSON.stringify(whole) });
    const odd = telemetry(4, { device: "odd", at: MINUTE, body: "?" });
    await rig.reports.take("site-a", "one", [...packed, plain, odd], MINUTE + 5_000, [layout]);
    await rig.sink.prune(enough, MINUTE + 6_000);

    const [grants = "", ...queries] = snippets("sql").map((text) => text.replaceAll("skerry.", "plant."));
    await server.query(grants.replace("schema skerry", "schema plant"), "skerry");
    const reader = new pg.Client({ connectionString: server.url().replace("skerry@", "grafana@") });
    await reader.connect();
    const ask = async (text: string) => (await reader.query({ text, rowMode: "array" })).rows;
    try {
      expect(
        await ask("select device, property, value, text, quality from plant.readings order by at, device, property"),
      ).toEqual([
        ["boiler-1", "far", null, null, "good"],
        ["boiler-1", "mode", null, "auto", "good"],
        ["boiler-1", "on", null, "true", "good"],
        ["boiler-1", "temperature", 21.5, "21.5", "good"],
        ["tank-1", "huge", 1e308, expect.stringMatching(/^10{308}$/), "good"],
        ["tank-1", "level", 1, "1", "good"],
        ["tank-1", "pump", null, null, "DEVICE_TIMEOUT: silent"],
        ["boiler-1", "far", 9, "9", "LINK_LOST: gone"],
        ["boiler-1", "mode", null, "hand", "good"],
        ["boiler-1", "on", null, "false", "good"],
        ["boiler-1", "temperature", 22.5, "22.5", "OUT_OF_RANGE: hot"],
      ]);
      expect(
        await ask(
          `select at, property, avg, count, last from plant.minutes where device = 'boiler-1' order by property`,
        ),
      ).toEqual([
        [new Date(MINUTE), "mode", null, "2", "hand"],
        [new Date(MINUTE), "on", null, "2", "false"],
        [new Date(MINUTE), "temperature", 21.5, "1", "21.5"],
      ]);
      // Grafana puts a condition in the place of its macro.
      for (const query of queries)
        expect(await ask(query.replace("$__timeFilter(at)", `at >= '2026-01-31T08:00Z'`))).not.toEqual([]);
      expect(queries).toHaveLength(2);
      await expect(ask("select * from plant.telemetry")).rejects.toMatchObject({ code: "42501" });
    } finally {
      await reader.end();
    }
  }, 60_000);

  test("a server of this machine is reached by its socket", async () => {
    const { socket } = server;
    await using rig = await sinkRig(
      sinkConfig.parse({
        kind: "postgres",
        url: `postgres://owner@${encodeURIComponent(socket)}:${server.port}/skerry`,
        schema: "socket",
      }),
    );
    expect(rig.sink.isUp).toBe(true);
  }, 60_000);

  test("a query of one device in a span uses the index, through the view", async () => {
    await using rig = await sinkRig(sinkConfig.parse({ kind: "postgres", url: server.url() }));
    for (let i = 0; i < 20; i++) {
      const rows = Array.from({ length: 500 }, (_, j) => telemetry(i * 500 + j + 1, { device: `device-${j % 50}` }));
      await rig.reports.take("site-a", "one", rows, 5_000);
    }
    await server.query("analyze", "skerry");
    const plan = await server.query<{ "QUERY PLAN": string }>(
      `explain select at, value from skerry.readings where namespace = 'default' and device = 'device-7'
       and property = 'temperature' and at between '1970-01-01T00:00:02Z' and '1970-01-01T00:00:04Z'`,
      "skerry",
    );
    expect(plan.map((line) => line["QUERY PLAN"]).join("\n")).toMatch("telemetry_device");
  }, 60_000);
  return undefined;
});
