import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { eventually } from "../../rigs/eventually.ts";
import { at, DEFINITIONS, openTestRegistry, type TestRegistry, WIDGETS, widget, widgets } from "../../rigs/registry.ts";

const MERGE = { "content-type": "application/merge-patch+json" };
const NAMESPACES = "/api/v1/namespaces";

describe("deleting objects", () => {
  let rig: TestRegistry;
  beforeAll(async () => {
    rig = await openTestRegistry();
    await rig.admin.request("POST", DEFINITIONS, widgets());
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const make = async (name: string, metadata: object = {}) =>
    (await rig.admin.request("POST", WIDGETS, widget(name, { size: 1 }, metadata))).body;
  const code = async (path: string) => (await rig.admin.request("GET", path)).status;
  const gone = (name: string) => eventually(async () => (await code(`${WIDGETS}/${name}`)) === 404);
  const ownedBy = (owner: unknown, blockOwnerDeletion = false) => ({
    ownerReferences: [
      {
        apiVersion: "example.dev/v1",
        kind: "Widget",
        name: at(owner, "metadata", "name"),
        uid: at(owner, "metadata", "uid"),
        blockOwnerDeletion,
      },
    ],
  });

  test("an object without finalizers goes at once", async () => {
    const body = await make("plain");
    const answer = await rig.admin.request("DELETE", `${WIDGETS}/plain`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      kind: "Status",
      status: "Success",
      details: { name: "plain", group: "example.dev", kind: "widgets", uid: at(body, "metadata", "uid") },
    });
    expect(await code(`${WIDGETS}/plain`)).toBe(404);
    expect((await rig.admin.request("DELETE", `${WIDGETS}/plain`)).status).toBe(404);
  });

  test("an object with finalizers waits for them, and takes no new ones", async () => {
    await make("held", { finalizers: ["example.dev/a", "example.dev/b"] });
    const { body } = await rig.admin.request("DELETE", `${WIDGETS}/held`);
    expect(body).toMatchObject({
      kind: "Widget",
      metadata: { deletionTimestamp: expect.any(String), deletionGracePeriodSeconds: 0, generation: 2 },
    });
    const patch = (finalizers: readonly string[] | null) =>
      rig.admin.request("PATCH", `${WIDGETS}/held`, { metadata: { finalizers } }, MERGE);
    const refused = await patch(["example.dev/a", "example.dev/b", "example.dev/c"]);
    expect(refused.status).toBe(422);
    expect(refused.body.message).toContain("no new finalizers can be added if the object is being deleted");
    expect((await patch(["example.dev/b"])).status).toBe(200);
    expect(await code(`${WIDGETS}/held`)).toBe(200);
    expect((await patch(null)).status).toBe(200);
    expect(await code(`${WIDGETS}/held`)).toBe(404);
  });

  test("preconditions are kept", async () => {
    const body = await make("exact");
    const remove = (preconditions: object) => rig.admin.request("DELETE", `${WIDGETS}/exact`, { preconditions });
    expect((await remove({ uid: "other" })).status).toBe(409);
    expect((await remove({ resourceVersion: "1" })).status).toBe(409);
    const { uid, resourceVersion } = body.metadata as Record<string, string>;
    expect((await remove({ uid, resourceVersion })).status).toBe(200);
    expect((await rig.admin.request("DELETE", `${WIDGETS}/exact`, { propagationPolicy: "Later" })).status).toBe(400);
  });

  test("a collection is deleted by its selectors", async () => {
    for (const name of ["c1", "c2", "c3"]) await make(name, { labels: { set: name === "c3" ? "b" : "a" } });
    const { status, body } = await rig.admin.request("DELETE", `${WIDGETS}?labelSelector=set%3Da`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ kind: "WidgetList", items: [{}, {}] });
    expect(await Promise.all(["c1", "c2", "c3"].map((name) => code(`${WIDGETS}/${name}`)))).toEqual([404, 404, 200]);
  });

  test("dependents go with the last of their owners", async () => {
    const [first, second] = [await make("owner-1"), await make("owner-2")];
    await make("child", ownedBy(first));
    await make("grandchild", ownedBy((await rig.admin.request("GET", `${WIDGETS}/child`)).body));
    const both = [...ownedBy(first).ownerReferences, ...ownedBy(second).ownerReferences];
    await make("shared", { ownerReferences: both });
    await rig.admin.request("DELETE", `${WIDGETS}/owner-1`);
    await gone("child");
    await gone("grandchild");
    await eventually(async () => {
      const { body } = await rig.admin.request("GET", `${WIDGETS}/shared`);
      return (at(body, "metadata", "ownerReferences") as unknown[]).length === 1;
    });
    await rig.admin.request("DELETE", `${WIDGETS}/owner-2`);
    await gone("shared");
  });

  test("an object of an owner that never was goes too", async () => {
    await make("stray", ownedBy({ metadata: { name: "x", uid: "no-such-uid" } }));
    await gone("stray");
  });

  test("in the foreground the owner waits for its dependents", async () => {
    const owner = await make("fore");
    await make("fore-child", { ...ownedBy(owner, true), finalizers: ["example.dev/hold"] });
    const { body } = await rig.admin.request("DELETE", `${WIDGETS}/fore`, { propagationPolicy: "Foreground" });
    expect(body).toMatchObject({ metadata: { finalizers: ["foregroundDeletion"] } });
    await eventually(async () => {
      const child = await rig.admin.request("GET", `${WIDGETS}/fore-child`);
      return at(child.body, "metadata", "deletionTimestamp") !== undefined;
    });
    expect(await code(`${WIDGETS}/fore`)).toBe(200);
    await rig.admin.request("PATCH", `${WIDGETS}/fore-child`, { metadata: { finalizers: null } }, MERGE);
    await gone("fore");
  });

  test("orphans stay, without their owner", async () => {
    const owner = await make("parent");
    await make("orphan", ownedBy(owner));
    await rig.admin.request("DELETE", `${WIDGETS}/parent`, { propagationPolicy: "Orphan" });
    await gone("parent");
    const { status, body } = await rig.admin.request("GET", `${WIDGETS}/orphan`);
    expect(status).toBe(200);
    expect(at(body, "metadata", "ownerReferences")).toBeUndefined();
  });

  test("a namespace empties before it goes, and takes nothing new meanwhile", async () => {
    await rig.admin.request("POST", NAMESPACES, { metadata: { name: "site" } });
    const inside = WIDGETS.replace("default", "site");
    await rig.admin.request("POST", inside, widget("free"));
    await rig.admin.request("POST", inside, widget("held", { size: 1 }, { finalizers: ["example.dev/hold"] }));
    await rig.admin.request("POST", `${NAMESPACES}/site/configmaps`, { metadata: { name: "c" } });
    const { body } = await rig.admin.request("DELETE", `${NAMESPACES}/site`);
    expect(body).toMatchObject({ kind: "Namespace", status: { phase: "Terminating" } });
    await eventually(async () => (await code(`${NAMESPACES}/site/configmaps/c`)) === 404);
    const late = await rig.admin.request("POST", inside, widget("late"));
    expect(late.status).toBe(403);
    expect(late.body.message).toContain("because it is being terminated");
    expect(await code(`${NAMESPACES}/site`)).toBe(200);
    await rig.admin.request("PATCH", `${inside}/held`, { metadata: { finalizers: null } }, MERGE);
    await eventually(async () => (await code(`${NAMESPACES}/site`)) === 404);
  });

  test("the first namespaces stay", async () => {
    expect((await rig.admin.request("DELETE", `${NAMESPACES}/default`)).status).toBe(403);
    expect(await code(`${NAMESPACES}/kube-system`)).toBe(200);
  });
});
