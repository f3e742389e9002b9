import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { at, DEFINITIONS, openTestRegistry, type TestRegistry, WIDGETS, widget, widgets } from "../../rigs/registry.ts";

const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
const MERGE = { "content-type": "application/merge-patch+json" };
const EVENTS = "/api/v1/namespaces/default/events";

describe("reading lists", () => {
  let rig: TestRegistry;
  beforeAll(async () => {
    rig = await openTestRegistry({ history: { rows: 5, ms: 0 } });
    await rig.admin.request("POST", DEFINITIONS, widgets());
    for (const [n, colour] of ["red", "green", "blue", "red", "green"].entries())
      await rig.admin.request("POST", WIDGETS, widget(`w${n}`, { size: n, colour }, { labels: { n: `${n}`, colour } }));
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const names = async (query: string) => {
    const { status, body } = await rig.admin.request("GET", `${WIDGETS}?${query}`);
    expect(status).toBe(200);
    return (body.items as unknown[]).map((item) => at(item, "metadata", "name"));
  };

  test.each([
    ["colour=red", ["w0", "w3"]],
    ["colour==red,n!=0", ["w3"]],
    ["colour in (red, blue)", ["w0", "w2", "w3"]],
    ["colour notin (red,blue)", ["w1", "w4"]],
    ["colour,!missing", ["w0", "w1", "w2", "w3", "w4"]],
    ["missing", []],
    ["n>2", ["w3", "w4"]],
    ["n<1", ["w0"]],
    ["missing!=x", ["w0", "w1", "w2", "w3", "w4"]],
  ])("the label selector %s finds %j", async (selector, expected) => {
    expect(await names(`labelSelector=${encodeURIComponent(selector)}`)).toEqual(expected);
  });

  test.each([
    ["metadata.name=w1", ["w1"]],
    ["metadata.name!=w1,metadata.namespace=default", ["w0", "w2", "w3", "w4"]],
    ["spec.colour=green", ["w1", "w4"]],
  ])("the field selector %s finds %j", async (selector, expected) => {
    expect(await names(`fieldSelector=${encodeURIComponent(selector)}`)).toEqual(expected);
  });

  test.each(["labelSelector=a%3Db%20c", "labelSelector=%3D", "fieldSelector=spec.size%3D1", "limit=-1", "limit=x"])(
    "%s is a bad request",
    async (query) => {
      expect((await rig.admin.request("GET", `${WIDGETS}?${query}`)).status).toBe(400);
    },
  );

  test("pages show each object once, and an old page is expired", async () => {
    const seen: unknown[] = [];
    let token = "";
    do {
      const { body } = await rig.admin.request("GET", `${WIDGETS}?limit=2&continue=${token}`);
      seen.push(...(body.items as unknown[]).map((item) => at(item, "metadata", "name")));
      token = String(at(body, "metadata", "continue") ?? "");
      expect(at(body, "metadata", "remainingItemCount")).toBe(token === "" ? undefined : 5 - seen.length);
    } while (token !== "");
    expect(seen).toEqual(["w0", "w1", "w2", "w3", "w4"]);
    expect((await rig.admin.request("GET", `${WIDGETS}?limit=2&continue=nonsense`)).status).toBe(400);
  });

  test("a table has the columns of the definition, and ages of dates", async () => {
    const { body } = await rig.admin.request("GET", `${WIDGETS}?fieldSelector=metadata.name%3Dw1`, undefined, TABLE);
    expect(body).toMatchObject({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      columnDefinitions: [
        { name: "Name", format: "name", priority: 0 },
        { name: "Size", type: "integer" },
        { name: "Ready" },
        { name: "Colour", priority: 1 },
        { name: "Age", type: "string" },
      ],
      rows: [
        {
          cells: ["w1", 1, null, "green", expect.stringMatching(/^\d+s$/)],
          object: { kind: "PartialObjectMetadata", metadata: { name: "w1" } },
        },
      ],
    });
    const conditions = [
      { type: "Other", status: "False" },
      { type: "Ready", status: "True" },
    ];
    await rig.admin.request("PATCH", `${WIDGETS}/w1/status`, { status: { conditions } }, MERGE);
    const one = await rig.admin.request("GET", `${WIDGETS}/w1?includeObject=Object`, undefined, TABLE);
    expect(at(one.body, "rows", 0, "cells", 2)).toBe("True");
    expect(at(one.body, "rows", 0, "object", "spec", "size")).toBe(1);
    const none = await rig.admin.request("GET", `${WIDGETS}/w1?includeObject=None`, undefined, TABLE);
    expect(at(none.body, "rows", 0, "object")).toBeNull();
  });

  test("metadata alone can be had", async () => {
    const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    const { body } = await rig.admin.request("GET", WIDGETS, undefined, { accept });
    expect(body).toMatchObject({
      kind: "PartialObjectMetadataList",
      items: [{ kind: "PartialObjectMetadata" }, {}, {}, {}, {}],
    });
    expect(at(body, "items", 0, "spec")).toBeUndefined();
  });

  test("a form that does not exist is not acceptable", async () => {
    const accept = "application/vnd.kubernetes.protobuf";
    expect((await rig.admin.request("GET", WIDGETS, undefined, { accept })).status).toBe(406);
  });

  test("an event of the newer group stands in the namespace of what it is about", async () => {
    await rig.admin.request("POST", "/api/v1/namespaces", { metadata: { name: "events" } });
    const path = "/apis/events.k8s.io/v1/namespaces/events/events";
    const about = (namespace: string) => ({
      metadata: { name: "e" },
      regarding: { kind: "Widget", name: "a", namespace },
    });
    expect((await rig.admin.request("POST", path, about("elsewhere"))).status).toBe(422);
    expect((await rig.admin.request("POST", path, about("events"))).status).toBe(201);
  });

  test("all namespaces are listed together", async () => {
    await rig.admin.request("POST", "/api/v1/namespaces", { metadata: { name: "other" } });
    await rig.admin.request("POST", WIDGETS.replace("default", "other"), widget("far"));
    const { body } = await rig.admin.request("GET", "/apis/example.dev/v1/widgets");
    expect(body.items).toHaveLength(6);
    expect(await names("")).toHaveLength(5);
  });

  test("events are found by what they are about, in both groups", async () => {
    const involvedObject = { kind: "Widget", name: "w0", namespace: "default", uid: "u" };
    const event = {
      metadata: { name: "e1" },
      involvedObject,
      reason: "Turned",
      message: "it turned",
      type: "Normal",
      count: 2,
    };
    expect((await rig.admin.request("POST", EVENTS, event)).status).toBe(201);
    const selector =
      "involvedObject.name=w0,involvedObject.namespace=default,involvedObject.kind=Widget,involvedObject.uid=u";
    const found = await rig.admin.request("GET", `${EVENTS}?fieldSelector=${encodeURIComponent(selector)}`);
    expect(found.body.items).toHaveLength(1);
    const newer = "/apis/events.k8s.io/v1/namespaces/default/events";
    expect((await rig.admin.request("GET", `${newer}/e1`)).body).toMatchObject({
      apiVersion: "events.k8s.io/v1",
      regarding: { name: "w0" },
      note: "it turned",
      deprecatedCount: 2,
    });
    const second = {
      metadata: { name: "e2" },
      regarding: involvedObject,
      note: "again",
      reason: "Turned",
      type: "Normal",
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "c",
      reportingInstance: "i",
      action: "a",
    };
    expect((await rig.admin.request("POST", newer, second)).status).toBe(201);
    expect((await rig.admin.request("GET", `${EVENTS}/e2`)).body).toMatchObject({
      apiVersion: "v1",
      involvedObject: { name: "w0" },
      message: "again",
      reportingComponent: "c",
    });
    const table = await rig.admin.request("GET", EVENTS, undefined, TABLE);
    expect(at(table.body, "rows", 0, "cells")).toEqual(expect.arrayContaining(["Normal", "Turned", "widget/w0"]));
  });
});
