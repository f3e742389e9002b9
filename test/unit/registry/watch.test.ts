import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  at,
  DEFINITIONS,
  type Line,
  openTestRegistry,
  type TestRegistry,
  WIDGETS,
  widget,
  widgets,
} from "../../rigs/registry.ts";

const MERGE = { "content-type": "application/merge-patch+json" };
const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };

describe("watching", () => {
  let rig: TestRegistry;
  beforeEach(async () => {
    rig = await openTestRegistry();
    await rig.admin.request("POST", DEFINITIONS, widgets());
  });
  afterEach(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const make = (name: string, labels: object = {}) =>
    rig.admin.request("POST", WIDGETS, widget(name, { size: 1 }, { labels }));
  const patch = (name: string, change: object) => rig.admin.request("PATCH", `${WIDGETS}/${name}`, change, MERGE);
  const head = async () => String(at((await rig.admin.request("GET", WIDGETS)).body, "metadata", "resourceVersion"));
  const take = async (lines: AsyncIterator<Line>, count: number) => {
    const taken: Line[] = [];
    while (taken.length < count) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the watch ended after ${taken.length} lines`);
      taken.push(value);
    }
    return taken;
  };
  const told = (lines: readonly Line[]) => lines.map(({ type, object }) => `${type} ${object.metadata.name}`);

  test("from a version on, everything is told once and in order", async () => {
    await make("before");
    const from = await head();
    await make("a");
    await patch("a", { spec: { size: 2 } });
    const lines = await rig.admin.watch(`${WIDGETS}?watch=true&resourceVersion=${from}`);
    await make("b");
    await rig.admin.request("DELETE", `${WIDGETS}/a`);
    const seen = await take(lines, 4);
    expect(told(seen)).toEqual(["ADDED a", "MODIFIED a", "ADDED b", "DELETED a"]);
    const versions = seen.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual([...new Set(versions)].toSorted((x, y) => x - y));
  });

  test("without a version the present state comes first", async () => {
    await make("a");
    const lines = await rig.admin.watch(`${WIDGETS}?watch=true`);
    expect(told(await take(lines, 1))).toEqual(["ADDED a"]);
    await make("b");
    expect(told(await take(lines, 1))).toEqual(["ADDED b"]);
  });

  test("an object that leaves the selection is deleted there, one that enters it is new", async () => {
    const from = await head();
    const selector = `labelSelector=tier%3Done`;
    const lines = await rig.admin.watch(`${WIDGETS}?watch=true&resourceVersion=${from}&${selector}`);
    await make("a", { tier: "one" });
    await make("b", { tier: "two" });
    await patch("a", { metadata: { labels: { tier: "two" } } });
    await patch("b", { metadata: { labels: { tier: "one" } } });
    await patch("a", { spec: { size: 5 } });
    await rig.admin.request("DELETE", `${WIDGETS}/a`);
    await rig.admin.request("DELETE", `${WIDGETS}/b`);
    const seen = await take(lines, 4);
    expect(told(seen)).toEqual(["ADDED a", "DELETED a", "ADDED b", "DELETED b"]);
    expect(seen[1]?.object.metadata.labels).toEqual({ tier: "one" });
  });

  test("field selectors see fields change", async () => {
    const from = await head();
    const query = `watch=true&resourceVersion=${from}&fieldSelector=spec.colour%3Dblue`;
    const lines = await rig.admin.watch(`${WIDGETS}?${query}`);
    await make("a");
    await patch("a", { spec: { colour: "blue" } });
    await patch("a", { spec: { colour: "red" } });
    expect(told(await take(lines, 2))).toEqual(["ADDED a", "DELETED a"]);
  });

  test("a list by watch ends its first part with a bookmark", async () => {
    await make("a");
    const query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    const lines = await rig.admin.watch(`${WIDGETS}?${query}`);
    const [first, mark] = await take(lines, 2);
    expect(first?.type).toBe("ADDED");
    expect(mark).toMatchObject({
      type: "BOOKMARK",
      object: {
        kind: "Widget",
        metadata: { resourceVersion: await head(), annotations: { "k8s.io/initial-events-end": "true" } },
      },
    });
    const without = await rig.admin.request("GET", `${WIDGETS}?watch=true&sendInitialEvents=true`);
    expect(without.status).toBe(422);
  });

  test("a watch ends after its time, with a last bookmark", async () => {
    const query = `watch=true&resourceVersion=${await head()}&timeoutSeconds=1&allowWatchBookmarks=true`;
    const lines = await rig.admin.watch(`${WIDGETS}?${query}`);
    expect((await take(lines, 1))[0]).toMatchObject({ type: "BOOKMARK" });
    expect((await lines.next()).done).toBe(true);
  });

  test("a version that was never given is gone", async () => {
    for (const version of ["1", "9007199254740000"]) {
      const lines = await rig.admin.watch(`${WIDGETS}?watch=true&resourceVersion=${version}`);
      expect((await take(lines, 1))[0]).toMatchObject({ type: "ERROR", object: { code: 410, reason: "Expired" } });
      expect((await lines.next()).done).toBe(true);
    }
  });

  test("a table is watched by rows, its columns are told once", async () => {
    const lines = await rig.admin.watch(`${WIDGETS}?watch=true`, TABLE);
    await make("a");
    await make("b");
    const [first, second] = await take(lines, 2);
    expect(first?.object).toMatchObject({ kind: "Table", rows: [{ cells: ["a", 1, null, "red", "0s"] }] });
    expect(first?.object.columnDefinitions).toHaveLength(5);
    expect(second?.object.columnDefinitions).toBeUndefined();
  });

  test("one object can be watched by its name", async () => {
    await make("a");
    await make("b");
    const lines = await rig.admin.watch(`${WIDGETS}/b?watch=true`);
    expect(told(await take(lines, 1))).toEqual(["ADDED b"]);
  });

  test("watches end when the definition goes", async () => {
    await make("a");
    const lines = await rig.admin.watch(`${WIDGETS}?watch=true&resourceVersion=${await head()}`);
    await rig.admin.request("DELETE", `${DEFINITIONS}/widgets.example.dev`);
    expect(told(await take(lines, 1))).toEqual(["DELETED a"]);
    expect((await lines.next()).done).toBe(true);
  });

  test("a client that goes away in the middle of anything harms nobody", async () => {
    const said: string[] = [];
    const say = (phrase: string) => said.push(phrase);
    const log = { debug() {}, info() {}, warn: say, error: say, with: () => log };
    await using other = await openTestRegistry({ log });
    for (let round = 0; round < 5; round++) {
      const lines = await other.admin.watch("/api/v1/configmaps?watch=true");
      const half = new AbortController();
      const body = new Readable({ read() {} });
      body.push('{"metadata":');
      const sent = other.admin.stream("POST", "/api/v1/namespaces/default/configmaps", body, half.signal);
      await other.admin.request("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: `c${round}` } });
      half.abort();
      await expect(sent).rejects.toThrow();
      await lines.return?.();
    }
    expect((await other.admin.request("GET", "/api/v1/configmaps")).body.items).toHaveLength(5);
    expect(said).toEqual([]);
  });

  test("closing the registry ends watches promptly, also of readers that do not read", async () => {
    const lines = await rig.admin.watch(`${WIDGETS}?watch=true`);
    const end = lines.next().catch(() => ({ done: true }));
    await rig.admin.watch(`${WIDGETS}?watch=true`);
    for (let n = 0; n < 5; n++)
      await rig.admin.request("POST", WIDGETS, widget(`big-${n}`, { size: 1, free: { x: "x".repeat(500_000) } }));
    await rig.registry[Symbol.asyncDispose]();
    await end;
    await expect(rig.admin.request("GET", WIDGETS)).rejects.toThrow();
  });
});
