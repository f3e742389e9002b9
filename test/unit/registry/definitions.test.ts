import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { eventually } from "../../rigs/eventually.ts";
import { at, DEFINITIONS, openTestRegistry, type TestRegistry, WIDGETS, widget, widgets } from "../../rigs/registry.ts";

const MERGE = { "content-type": "application/merge-patch+json" };

describe("definitions of kinds", () => {
  let rig: TestRegistry;
  beforeEach(async () => {
    rig = await openTestRegistry();
  });
  afterEach(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const define = (schema: object, name = "v1") =>
    rig.admin.request("POST", DEFINITIONS, widgets({ name, schema: { openAPIV3Schema: schema } }));
  const withSpec = (spec: object) => define({ type: "object", properties: { spec } });

  test("a kind can be used right after its definition", async () => {
    const { status, body } = await rig.admin.request("POST", DEFINITIONS, widgets());
    expect(status).toBe(201);
    expect(body).toMatchObject({
      spec: { names: { listKind: "WidgetList" } },
      status: {
        acceptedNames: { plural: "widgets" },
        storedVersions: ["v1"],
        conditions: [
          { type: "NamesAccepted", status: "True" },
          { type: "Established", status: "True" },
        ],
      },
    });
    expect((await rig.admin.request("POST", WIDGETS, widget("a"))).status).toBe(201);
  });

  test("discovery tells the kind in all three forms", async () => {
    await rig.admin.request("POST", DEFINITIONS, widgets());
    for (const version of ["v2", "v2beta1"]) {
      const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
      const { headers, body } = await rig.admin.request("GET", "/apis", undefined, { accept });
      expect(headers["content-type"]).toBe(accept);
      expect(JSON.stringify(body)).toContain('"resource":"widgets"');
    }
    const { body } = await rig.admin.request("GET", "/apis/example.dev/v1");
    expect(body).toMatchObject({
      kind: "APIResourceList",
      resources: [
        { name: "widgets", singularName: "widget", shortNames: ["wd"], categories: ["all"], namespaced: true },
        { name: "widgets/status", kind: "Widget" },
        { name: "widgets/scale", kind: "Scale", group: "autoscaling" },
      ],
    });
    const groups = await rig.admin.request("GET", "/apis");
    expect(JSON.stringify(groups.body)).toContain('"name":"example.dev"');
    expect((await rig.admin.request("GET", "/apis/example.dev")).body).toMatchObject({ kind: "APIGroup" });
  });

  test("discovery is not sent again to who has it", async () => {
    const { headers } = await rig.admin.request("GET", "/apis");
    const again = await rig.admin.request("GET", "/apis", undefined, { "if-none-match": String(headers.etag) });
    expect(again.status).toBe(304);
    await rig.admin.request("POST", DEFINITIONS, widgets());
    const changed = await rig.admin.request("GET", "/apis", undefined, { "if-none-match": String(headers.etag) });
    expect(changed.status).toBe(200);
  });

  test("its OpenAPI document has the schema, and a patch with fieldValidation for every kind", async () => {
    await rig.admin.request("POST", DEFINITIONS, widgets());
    const index = await rig.admin.request("GET", "/openapi/v3");
    const paths = Object.entries(at(index.body, "paths") as Record<string, { serverRelativeURL: string }>);
    expect(paths.map(([name]) => name)).toContain("apis/example.dev/v1");
    for (const [, { serverRelativeURL }] of paths) {
      const { status, headers, body } = await rig.admin.request("GET", serverRelativeURL);
      expect(status).toBe(200);
      expect(headers["cache-control"]).toContain("immutable");
      const patches = Object.values(at(body, "paths") as Record<string, Record<string, unknown>>).flatMap(
        ({ patch }) => (patch ? [patch] : []),
      );
      for (const patch of patches) expect(JSON.stringify(patch)).toContain('"fieldValidation"');
    }
    const { body } = await rig.admin.request("GET", "/openapi/v3/apis/example.dev/v1");
    expect(at(body, "components", "schemas", "dev.example.v1.Widget")).toMatchObject({
      "x-kubernetes-group-version-kind": [{ group: "example.dev", kind: "Widget", version: "v1" }],
      properties: { spec: { properties: { size: { description: "How large it is." } } } },
    });
  });

  test("the older OpenAPI form is whole in JSON and without paths in protobuf", async () => {
    const accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    const { status, headers, text } = await rig.admin.request("GET", "/openapi/v2", undefined, { accept });
    expect([status, headers["content-type"]]).toEqual([200, accept.replace("@", ".")]);
    expect(Buffer.from(text).toString("hex")).toBe(`0a03${hex("2.0")}120c0a06${hex("Skerry")}1202${hex("v1")}4200`);
    expect((await rig.admin.request("GET", "/openapi/v2")).body).toMatchObject({ swagger: "2.0" });
  });

  test.each([
    ["an untyped field", { type: "object", properties: { x: {} } }, "properties[spec].properties[x].type"],
    ["a reference", { $ref: "#/x", type: "object" }, "properties[spec].$ref"],
    ["uniqueItems", { type: "array", items: { type: "string" }, uniqueItems: true }, "uniqueItems"],
    ["a list of anything", { type: "array" }, "properties[spec].items"],
    [
      "properties beside additionalProperties",
      { type: "object", properties: {}, additionalProperties: { type: "string" } },
      "additionalProperties",
    ],
    ["structure within anyOf", { type: "object", anyOf: [{ type: "object" }] }, "anyOf[0].type"],
    ["look-around in a pattern", { type: "string", pattern: "(?=a)" }, "properties[spec].pattern"],
    ["a wrong default", { type: "integer", default: "x" }, "properties[spec].default"],
    ["a word that is no keyword", { type: "string", lenght: 3 }, "lenght"],
    [
      "a CEL rule, which could not be kept",
      { type: "object", "x-kubernetes-validations": [{ rule: "true" }] },
      "x-kubernetes-validations",
    ],
  ])("a schema with %s is refused, and the place is named", async (_, spec, field) => {
    const { status, body } = await withSpec(spec);
    expect(status).toBe(422);
    expect(body).toMatchObject({ reason: "Invalid", details: { kind: "CustomResourceDefinition" } });
    expect(JSON.stringify(at(body, "details", "causes"))).toContain(field);
  });

  test("metadata may be restricted by name alone", async () => {
    const refused = await define({
      type: "object",
      properties: { metadata: { type: "object", properties: { labels: { type: "object" } } } },
    });
    expect(refused.status).toBe(422);
  });

  test("the name must be made of plural and group, and the group must not be Kubernetes's", async () => {
    const wrong = { ...widgets(), metadata: { name: "x" } };
    expect((await rig.admin.request("POST", DEFINITIONS, wrong)).body).toMatchObject({
      message: expect.stringContaining('must be spec.names.plural+"."+spec.group'),
    });
    const definition = widgets();
    const spec = { ...(definition.spec as object), group: "apps.k8s.io" };
    const guarded = { ...definition, metadata: { name: "widgets.apps.k8s.io" }, spec };
    expect((await rig.admin.request("POST", DEFINITIONS, guarded)).status).toBe(422);
  });

  test("conversion by webhook is refused", async () => {
    const definition = widgets();
    const spec = { ...(definition.spec as object), conversion: { strategy: "Webhook" } };
    expect((await rig.admin.request("POST", DEFINITIONS, { ...definition, spec })).status).toBe(422);
  });

  test("a second definition can not take the names of the first, until the first is gone", async () => {
    await rig.admin.request("POST", DEFINITIONS, widgets());
    const definition = widgets();
    const names = { kind: "Gadget", plural: "gadgets", shortNames: ["wd"] };
    const second = {
      ...definition,
      metadata: { name: "gadgets.example.dev" },
      spec: { ...(definition.spec as object), names },
    };
    const { status, body } = await rig.admin.request("POST", DEFINITIONS, second);
    expect(status).toBe(201);
    expect(body).toMatchObject({ status: { conditions: [{ type: "NamesAccepted", status: "False" }, {}] } });
    expect((await rig.admin.request("GET", "/apis/example.dev/v1/gadgets")).status).toBe(404);
    await rig.admin.request("DELETE", `${DEFINITIONS}/widgets.example.dev`);
    await eventually(async () => (await rig.admin.request("GET", "/apis/example.dev/v1/gadgets")).status === 200);
  });

  test("several versions show the same object", async () => {
    const definition = widgets();
    const [v1] = at(definition, "spec", "versions") as object[];
    const spec = { ...(definition.spec as object), versions: [v1, { ...v1, name: "v2", storage: false }] };
    await rig.admin.request("POST", DEFINITIONS, { ...definition, spec });
    await rig.admin.request("POST", WIDGETS, widget("a"));
    const newer = WIDGETS.replace("/v1/", "/v2/");
    expect((await rig.admin.request("GET", `${newer}/a`)).body).toMatchObject({ apiVersion: "example.dev/v2" });
    expect((await rig.admin.request("GET", newer)).body).toMatchObject({
      apiVersion: "example.dev/v2",
      items: [{ apiVersion: "example.dev/v2", spec: { size: 1 } }],
    });
    const patched = await rig.admin.request("PATCH", `${newer}/a`, { spec: { size: 2 } }, MERGE);
    expect(patched.body).toMatchObject({ apiVersion: "example.dev/v2" });
    expect((await rig.admin.request("GET", `${WIDGETS}/a`)).body).toMatchObject({
      apiVersion: "example.dev/v1",
      spec: { size: 2 },
    });
    const { body } = await rig.admin.request("GET", "/apis/example.dev");
    expect(body).toMatchObject({ preferredVersion: { version: "v2" } });
  });

  test("a new default shows in old objects", async () => {
    await rig.admin.request("POST", DEFINITIONS, widgets());
    await rig.admin.request("POST", WIDGETS, widget("a"));
    const path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/weight";
    const patch = [{ op: "add", path, value: { type: "integer", default: 7 } }];
    const type = { "content-type": "application/json-patch+json" };
    expect((await rig.admin.request("PATCH", `${DEFINITIONS}/widgets.example.dev`, patch, type)).status).toBe(200);
    expect((await rig.admin.request("GET", WIDGETS)).body).toMatchObject({ items: [{ spec: { size: 1, weight: 7 } }] });
  });

  test("deleting a definition deletes its objects first, and waits for those with finalizers", async () => {
    await rig.admin.request("POST", DEFINITIONS, widgets());
    await rig.admin.request("POST", WIDGETS, widget("a"));
    await rig.admin.request("POST", WIDGETS, widget("b", { size: 1 }, { finalizers: ["example.dev/hold"] }));
    const { status, body } = await rig.admin.request("DELETE", `${DEFINITIONS}/widgets.example.dev`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      kind: "CustomResourceDefinition",
      metadata: { deletionTimestamp: expect.anything() },
    });
    await eventually(async () => (await rig.admin.request("GET", `${WIDGETS}/a`)).status === 404);
    expect((await rig.admin.request("POST", WIDGETS, widget("c"))).status).toBe(405);
    expect((await rig.admin.request("GET", `${WIDGETS}/b`)).status).toBe(200);
    await rig.admin.request("PATCH", `${WIDGETS}/b`, { metadata: { finalizers: null } }, MERGE);
    await eventually(async () => (await rig.admin.request("GET", WIDGETS)).status === 404);
    expect((await rig.admin.request("GET", `${DEFINITIONS}/widgets.example.dev`)).status).toBe(404);
    expect((await rig.admin.request("GET", "/apis/example.dev")).status).toBe(404);
  });
});

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}
