import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { at, DEFINITIONS, openTestRegistry, type TestRegistry, WIDGETS, widget, widgets } from "../../rigs/registry.ts";

const MERGE = { "content-type": "application/merge-patch+json" };
const JSON_PATCH = { "content-type": "application/json-patch+json" };
const STRATEGIC = { "content-type": "application/strategic-merge-patch+json" };
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

describe("writing objects", () => {
  let rig: TestRegistry;
  beforeAll(async () => {
    rig = await openTestRegistry();
    await rig.admin.request("POST", DEFINITIONS, widgets());
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const make = async (name: string, spec: Record<string, unknown> = { size: 1 }, metadata: object = {}) =>
    (await rig.admin.request("POST", WIDGETS, widget(name, spec, metadata))).body;
  const version = (body: unknown) => at(body, "metadata", "resourceVersion");

  describe("create", () => {
    test("the server fills in what is its own, and defaults", async () => {
      const given = { generation: 9, uid: "x", creationTimestamp: null, managedFields: [], selfLink: "y" };
      const { status, body } = await rig.admin.request("POST", WIDGETS, {
        ...widget("new", { size: 1 }, given),
        status: { size: 5 },
      });
      expect(status).toBe(201);
      expect(body).toMatchObject({
        metadata: { name: "new", namespace: "default", generation: 1, uid: expect.stringMatching(/^[0-9a-f-]{36}$/) },
        spec: { size: 1, colour: "red" },
      });
      expect(body.status).toBeUndefined();
      expect(at(body, "metadata", "managedFields")).toBeUndefined();
    });

    test("generateName makes a name", async () => {
      const body = { ...widget(""), metadata: { generateName: "gen-" } };
      const answer = await rig.admin.request("POST", WIDGETS, body);
      expect(at(answer.body, "metadata", "name")).toMatch(/^gen-[a-z0-9]{5}$/);
    });

    test("a name is taken once", async () => {
      await make("twice");
      const { status, body } = await rig.admin.request("POST", WIDGETS, widget("twice"));
      expect(status).toBe(409);
      expect(body).toMatchObject({
        reason: "AlreadyExists",
        message: 'widgets.example.dev "twice" already exists',
        details: { kind: "widgets", group: "example.dev", name: "twice" },
      });
    });

    test("every wrong field is named, in the words of upstream", async () => {
      const spec = { size: 11, colour: "pink", code: "A", tags: ["a", "a"], port: true, labels: { a: 1 } };
      const { status, body } = await rig.admin.request("POST", WIDGETS, widget("Bad", spec));
      expect(status).toBe(422);
      expect(at(body, "details", "causes")).toEqual([
        {
          reason: "FieldValueInvalid",
          field: "metadata.name",
          message: expect.stringContaining('Invalid value: "Bad": a lowercase RFC 1123 subdomain'),
        },
        {
          reason: "FieldValueInvalid",
          field: "spec.size",
          message: "Invalid value: 11: spec.size in body should be less than or equal to 10",
        },
        {
          reason: "FieldValueNotSupported",
          field: "spec.colour",
          message: 'Unsupported value: "pink": supported values: "red", "green", "blue"',
        },
        {
          reason: "FieldValueInvalid",
          field: "spec.code",
          message: "Invalid value: \"A\": spec.code in body should match '^[a-z]+$'",
        },
        { reason: "FieldValueDuplicate", field: "spec.tags[1]", message: 'Duplicate value: "a"' },
        {
          reason: "FieldValueTypeInvalid",
          field: "spec.port",
          message: 'Invalid value: "boolean": spec.port in body must be of type integer or string: "boolean"',
        },
        {
          reason: "FieldValueTypeInvalid",
          field: "spec.labels.a",
          message: 'Invalid value: "integer": spec.labels.a in body must be of type string: "integer"',
        },
      ]);
      expect(body.message).toMatch(/^Widget\.example\.dev "Bad" is invalid: \[/);
      const missing = await rig.admin.request("POST", WIDGETS, widget("bad", {}));
      expect(missing.body.message).toBe('Widget.example.dev "bad" is invalid: spec.size: Required value');
    });

    test("unknown and repeated fields are refused, warned of, or dropped, as asked", async () => {
      const text = JSON.stringify(widget("strict", { size: 1, sise: 2, free: { any: { thing: 1 } } })).replace(
        '"size":1',
        '"size":1,"size":2',
      );
      const strict = await rig.admin.request("POST", `${WIDGETS}?fieldValidation=Strict`, text);
      expect(strict.status).toBe(400);
      expect(strict.body.message).toBe(
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.sise", duplicate field "spec.size"',
      );
      const warned = await rig.admin.request("POST", `${WIDGETS}?fieldValidation=Warn`, text);
      expect(warned.status).toBe(201);
      expect(warned.headers.warning).toBe(
        '299 - "unknown field \\"spec.sise\\"", 299 - "duplicate field \\"spec.size\\""',
      );
      expect(warned.body.spec).toEqual({ size: 2, colour: "red", free: { any: { thing: 1 } } });
      const ignored = await rig.admin.request(
        "POST",
        `${WIDGETS}?fieldValidation=Ignore`,
        text.replace("strict", "lax"),
      );
      expect(ignored.headers.warning).toBeUndefined();
    });

    test.each([
      ["another namespace", { metadata: { name: "x", namespace: "other" } }, 400],
      ["another kind", { kind: "Gadget" }, 400],
      ["another version", { apiVersion: "example.dev/v9" }, 400],
      ["a version", { metadata: { name: "x", resourceVersion: "5" } }, 400],
      ["a label that is none", { metadata: { name: "x", labels: { a: "b c" } } }, 422],
      ["labels that are no texts", { metadata: { name: "x", labels: { a: 1 } } }, 422],
      ["no name", { metadata: {} }, 422],
      ["a finalizer that is no name", { metadata: { name: "x", finalizers: ["a/b/c"] } }, 422],
    ])("an object with %s is refused", async (_, change, code) => {
      expect((await rig.admin.request("POST", WIDGETS, { ...widget("x"), ...change })).status).toBe(code);
    });

    test("a namespace must exist", async () => {
      const { status, body } = await rig.admin.request("POST", WIDGETS.replace("default", "nowhere"), widget("a"));
      expect(status).toBe(404);
      expect(body.message).toBe('namespaces "nowhere" not found');
    });

    test.each(["{", '{"a":', "[1]", '"x"', "null", `${"[".repeat(5000)}${"]".repeat(5000)}`])(
      "the body %.20s is a bad request",
      async (body) => {
        expect((await rig.admin.request("POST", WIDGETS, body)).status).toBe(400);
      },
    );

    test("a body may be YAML, and may not be too large", async () => {
      const yaml = "apiVersion: example.dev/v1\nkind: Widget\nmetadata:\n  name: yaml\nspec:\n  size: 4\n";
      const type = { "content-type": "application/yaml" };
      expect((await rig.admin.request("POST", WIDGETS, yaml, type)).status).toBe(201);
      const huge = JSON.stringify(widget("huge", { size: 1, free: { x: "x".repeat(4_000_000) } }));
      expect((await rig.admin.request("POST", WIDGETS, huge)).status).toBe(413);
    });
  });

  describe("update", () => {
    test("of two writers with the same version one wins", async () => {
      const body = await make("race");
      const first = await rig.admin.request("PUT", `${WIDGETS}/race`, { ...body, spec: { size: 2 } });
      const second = await rig.admin.request("PUT", `${WIDGETS}/race`, { ...body, spec: { size: 3 } });
      expect([first.status, second.status]).toEqual([200, 409]);
      expect(second.body).toMatchObject({
        reason: "Conflict",
        message:
          'Operation cannot be fulfilled on widgets.example.dev "race": the object has been modified; please apply your changes to the latest version and try again',
      });
    });

    test("a custom resource is not replaced blindly, a built-in one may be", async () => {
      await make("blind");
      expect((await rig.admin.request("PUT", `${WIDGETS}/blind`, widget("blind"))).status).toBe(422);
      await rig.admin.request("POST", CONFIG_MAPS, { metadata: { name: "blind" }, data: { a: "1" } });
      const replaced = { metadata: { name: "blind" }, data: { b: "2" } };
      expect((await rig.admin.request("PUT", `${CONFIG_MAPS}/blind`, replaced)).body.data).toEqual({ b: "2" });
    });

    test("a write that changes nothing makes no version", async () => {
      const body = await make("same");
      for (const [method, sent, type] of [
        ["PUT", body, {}],
        ["PATCH", { spec: { size: 1 } }, MERGE],
        ["PATCH", [{ op: "replace", path: "/spec/size", value: 1 }], JSON_PATCH],
      ] as const)
        expect(version((await rig.admin.request(method, `${WIDGETS}/same`, sent, type)).body)).toBe(version(body));
    });

    test("name, namespace, uid and time of creation stay", async () => {
      const body = await make("fixed");
      const metadata = { ...(body.metadata as object), creationTimestamp: "2001-01-01T00:00:00Z", generation: 99 };
      const { body: after } = await rig.admin.request("PUT", `${WIDGETS}/fixed`, {
        ...body,
        metadata,
        spec: { size: 2 },
      });
      expect(after.metadata).toEqual({ ...(body.metadata as object), generation: 2, resourceVersion: version(after) });
      for (const [field, value] of [
        ["uid", "other"],
        ["name", "other"],
        ["namespace", "other"],
      ] as const) {
        const patched = await rig.admin.request("PATCH", `${WIDGETS}/fixed`, { metadata: { [field]: value } }, MERGE);
        expect(patched.status).toBeGreaterThanOrEqual(400);
      }
    });

    test("spec and status are written apart, and only the spec moves the generation", async () => {
      const body = await make("parts");
      const main = await rig.admin.request("PUT", `${WIDGETS}/parts`, {
        ...body,
        spec: { size: 2 },
        status: { size: 9 },
      });
      expect(main.body).toMatchObject({ spec: { size: 2 }, metadata: { generation: 2 } });
      expect(main.body.status).toBeUndefined();
      const status = { ...main.body, spec: { size: 5 }, status: { size: 2 } };
      const part = await rig.admin.request("PUT", `${WIDGETS}/parts/status`, status);
      expect(part.body).toMatchObject({ spec: { size: 2 }, status: { size: 2 }, metadata: { generation: 2 } });
      const labels = { metadata: { labels: { a: "b" } } };
      const labelled = await rig.admin.request("PATCH", `${WIDGETS}/parts`, labels, MERGE);
      expect(labelled.body).toMatchObject({ status: { size: 2 }, metadata: { generation: 2, labels: { a: "b" } } });
      expect((await rig.admin.request("GET", `${WIDGETS}/parts/status`)).body).toEqual(labelled.body);
    });

    test("parts that were wrong before do not block a change elsewhere", async () => {
      const path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/maximum";
      const limit = (value: number) =>
        rig.admin.request("PATCH", `${DEFINITIONS}/widgets.example.dev`, [{ op: "replace", path, value }], JSON_PATCH);
      await make("old", { size: 9 });
      await limit(5);
      expect((await rig.admin.request("PATCH", `${WIDGETS}/old`, { spec: { colour: "blue" } }, MERGE)).status).toBe(
        200,
      );
      expect((await rig.admin.request("PATCH", `${WIDGETS}/old`, { spec: { size: 8 } }, MERGE)).status).toBe(422);
      await limit(10);
    });

    test("the scale of an object is read and written under its own paths", async () => {
      await make("scaled", { size: 1 });
      const scale = `${WIDGETS}/scaled/scale`;
      expect((await rig.admin.request("GET", scale)).body).toMatchObject({ kind: "Scale", spec: { replicas: 1 } });
      expect((await rig.admin.request("PATCH", scale, { spec: { replicas: 4 } }, MERGE)).status).toBe(200);
      expect((await rig.admin.request("GET", `${WIDGETS}/scaled`)).body).toMatchObject({ spec: { size: 4 } });
      expect((await rig.admin.request("PATCH", scale, { spec: { replicas: 40 } }, MERGE)).status).toBe(422);
    });
  });

  describe("patch", () => {
    test("a failed test refuses a JSON patch", async () => {
      await make("tested");
      const patch = [{ op: "test", path: "/spec/size", value: 7 }];
      expect((await rig.admin.request("PATCH", `${WIDGETS}/tested`, patch, JSON_PATCH)).status).toBe(422);
    });

    test("a version in a patch is a condition", async () => {
      const body = await make("conditional");
      const patch = { metadata: { resourceVersion: version(body) }, spec: { size: 2 } };
      expect((await rig.admin.request("PATCH", `${WIDGETS}/conditional`, patch, MERGE)).status).toBe(200);
      const stale = { ...patch, spec: { size: 3 } };
      expect((await rig.admin.request("PATCH", `${WIDGETS}/conditional`, stale, MERGE)).status).toBe(409);
    });

    test("patches of the same object at once are all kept", async () => {
      await make("busy", { size: 1, labels: {} });
      const one = (n: number) =>
        rig.admin.request("PATCH", `${WIDGETS}/busy`, { spec: { labels: { [`k${n}`]: "x" } } }, MERGE);
      const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => one(n)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(new Set(answers.map(({ body }) => version(body))).size).toBe(40);
      const { body } = await rig.admin.request("GET", `${WIDGETS}/busy`);
      expect(Object.keys(at(body, "spec", "labels") as object)).toHaveLength(40);
    });

    test("a strategic patch is for built-in kinds", async () => {
      await make("custom");
      const refused = await rig.admin.request("PATCH", `${WIDGETS}/custom`, {}, STRATEGIC);
      expect(refused.status).toBe(415);
      expect(refused.body.message).toContain(
        "accepted media types include: application/json-patch+json, application/merge-patch+json",
      );
      const metadata = { name: "strategic", finalizers: ["a.dev/a", "a.dev/b"] };
      await rig.admin.request("POST", CONFIG_MAPS, { metadata, data: { a: "1", b: "2" } });
      const patch = { metadata: { "$deleteFromPrimitiveList/finalizers": ["a.dev/a"] }, data: { a: null, c: "3" } };
      const { body } = await rig.admin.request("PATCH", `${CONFIG_MAPS}/strategic`, patch, STRATEGIC);
      expect(body).toMatchObject({ metadata: { finalizers: ["a.dev/b"] }, data: { b: "2", c: "3" } });
    });

    test("server-side apply is refused and says what to do", async () => {
      const type = { "content-type": "application/apply-patch+yaml" };
      const { status, body } = await rig.admin.request("PATCH", `${WIDGETS}/x`, "{}", type);
      expect(status).toBe(415);
      expect(body.message).toContain("use client-side apply");
    });
  });

  test("a dry run answers like the real one and leaves nothing", async () => {
    const before = version((await rig.admin.request("GET", WIDGETS)).body);
    const created = await rig.admin.request("POST", `${WIDGETS}?dryRun=All`, widget("dry"));
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ spec: { colour: "red" }, metadata: { name: "dry" } });
    expect((await rig.admin.request("GET", `${WIDGETS}/dry`)).status).toBe(404);
    expect((await rig.admin.request("POST", `${WIDGETS}?dryRun=All`, widget("dry", {}))).status).toBe(422);
    const patched = await rig.admin.request("PATCH", `${WIDGETS}/new?dryRun=All`, { spec: { size: 7 } }, MERGE);
    expect(patched.body).toMatchObject({ spec: { size: 7 } });
    expect((await rig.admin.request("DELETE", `${WIDGETS}/new?dryRun=All`)).status).toBe(200);
    expect((await rig.admin.request("GET", `${WIDGETS}/new`)).body).toMatchObject({ spec: { size: 1 } });
    expect(version((await rig.admin.request("GET", WIDGETS)).body)).toBe(before);
    expect((await rig.admin.request("POST", `${WIDGETS}?dryRun=Some`, widget("dry"))).status).toBe(400);
  });

  test("secrets take plain texts, and what is immutable stays", async () => {
    const path = "/api/v1/namespaces/default/secrets";
    const sent = { metadata: { name: "s" }, stringData: { a: "b" }, immutable: true };
    const { body } = await rig.admin.request("POST", path, sent);
    expect(body).toMatchObject({ type: "Opaque", data: { a: "Yg==" } });
    expect(body.stringData).toBeUndefined();
    const patch = { data: { a: "Yw==" } };
    expect((await rig.admin.request("PATCH", `${path}/s`, patch, MERGE)).status).toBe(422);
  });

  test("names that are properties of every object are names like others", async () => {
    const labels = JSON.parse('{"constructor":"a","__proto__":"b"}');
    const { status, text } = await rig.admin.request("POST", WIDGETS, widget("proto", { size: 1, labels }));
    expect(status).toBe(201);
    expect(text).toContain('"__proto__":"b"');
    expect((await rig.admin.request("GET", "/apis/constructor/v1/x")).status).toBe(404);
  });
});
