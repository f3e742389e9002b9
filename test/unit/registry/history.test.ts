import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { manualClock } from "../../rigs/manual-clock.ts";
import { at, DEFINITIONS, openTestRegistry, type TestRegistry, WIDGETS, widget, widgets } from "../../rigs/registry.ts";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const version = (body: unknown) => Number(at(body, "metadata", "resourceVersion"));
const head = async ({ admin }: TestRegistry) => version((await admin.request("GET", CONFIG_MAPS)).body);
const first = async ({ admin }: TestRegistry, query: string) =>
  (await (await admin.watch(`${CONFIG_MAPS}?watch=true&${query}`)).next()).value;

describe("history", () => {
  test("what was acknowledged is there after a restart, and a watch goes on where it was", async () => {
    using home = folder();
    const database = join(home.path, "registry.db");
    let from: number;
    let last: number;
    {
      await using rig = await openTestRegistry({ database });
      await rig.admin.request("POST", DEFINITIONS, widgets());
      await rig.admin.request("POST", WIDGETS, widget("a"));
      from = await head(rig);
      last = version((await rig.admin.request("POST", CONFIG_MAPS, { metadata: { name: "late" } })).body);
    }
    await using rig = await openTestRegistry({ database });
    expect((await rig.admin.request("GET", `${WIDGETS}/a`)).status).toBe(200);
    expect(await first(rig, `resourceVersion=${from}`)).toMatchObject({
      type: "ADDED",
      object: { metadata: { name: "late" } },
    });
    expect(version((await rig.admin.request("POST", CONFIG_MAPS, { metadata: { name: "x" } })).body)).toBeGreaterThan(
      last,
    );
  });

  test("versions never come twice, even where the file is begun anew; who names one of then lists again", async () => {
    const clock = manualClock();
    let old: number;
    {
      await using rig = await openTestRegistry({ clock });
      for (let n = 0; n < 20; n++) await rig.admin.request("POST", CONFIG_MAPS, { metadata: { name: `n${n}` } });
      old = await head(rig);
    }
    await clock.pass(1000);
    await using rig = await openTestRegistry({ clock });
    expect(await head(rig)).toBeGreaterThan(old);
    expect(await first(rig, `resourceVersion=${old}`)).toMatchObject({ type: "ERROR", object: { code: 410 } });
  });

  test("old history is forgotten: watches and pages from there are gone, younger ones go on", async () => {
    const clock = manualClock();
    await using rig = await openTestRegistry({ clock, history: { rows: 5, ms: 1000 } });
    const start = await head(rig);
    for (let n = 0; n < 20; n++) await rig.admin.request("POST", CONFIG_MAPS, { metadata: { name: `n${n}` } });
    const young = await head(rig);
    const page = await rig.admin.request("GET", `${CONFIG_MAPS}?limit=2`);
    const token = String(at(page.body, "metadata", "continue"));
    expect(await first(rig, `resourceVersion=${start}`)).toMatchObject({ type: "ADDED" });
    for (let n = 0; n < 6; n++) await rig.admin.request("POST", CONFIG_MAPS, { metadata: { name: `m${n}` } });
    await clock.pass(60_000);
    await eventually(async () => at(await first(rig, `resourceVersion=${start}`), "object", "code") === 410);
    expect(await first(rig, `resourceVersion=${(await head(rig)) - 3}`)).toMatchObject({ type: "ADDED" });
    expect(young).toBeLessThan(await head(rig));
    const expired = await rig.admin.request("GET", `${CONFIG_MAPS}?limit=2&continue=${token}`);
    expect(expired.status).toBe(410);
    expect(expired.body).toMatchObject({ reason: "Expired" });
  });

  test("events are forgotten after an hour", async () => {
    const clock = manualClock();
    await using rig = await openTestRegistry({ clock });
    const path = "/api/v1/namespaces/default/events";
    const involvedObject = { kind: "Widget", name: "a", namespace: "default" };
    await rig.admin.request("POST", path, { metadata: { name: "e" }, involvedObject });
    await clock.pass(3_000_000);
    expect((await rig.admin.request("GET", `${path}/e`)).status).toBe(200);
    await clock.pass(700_000);
    await eventually(async () => (await rig.admin.request("GET", `${path}/e`)).status === 404);
  });
});
