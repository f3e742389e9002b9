import { describe, expect, test } from "@jest/globals";
import { age } from "#registry/age";
import { compareVersions } from "#registry/catalog";
import { jsonPath, parsePath } from "#registry/json-path";
import { generatedName, isQualifiedName, nameProblem } from "#registry/names";
import { jsonPatch } from "#registry/patch/json-patch";
import { mergePatch } from "#registry/patch/merge";
import { strategicPatch } from "#registry/patch/strategic";
import { decodeProtobuf } from "#registry/protobuf";
import { withDefaults } from "#registry/schema/default";
import { duplicateKeys } from "#registry/schema/duplicates";
import { keepsFormat } from "#registry/schema/format";
import { objectMeta } from "#registry/schema/object-meta";
import { compile } from "#registry/schema/pattern";
import { prune } from "#registry/schema/prune";
import type { Schema } from "#registry/schema/schema";
import { validate } from "#registry/schema/validate";
import type { Cause } from "#registry/status";
import { StatusError } from "#registry/status";

describe("lengths of time", () => {
  const [m, h, d] = [60, 3600, 86_400];
  test.each([
    [0, "0s"],
    [119, "119s"],
    [2 * m, "2m"],
    [9 * m + 5, "9m5s"],
    [179 * m, "179m"],
    [3 * h + 5 * m, "3h5m"],
    [47 * h, "47h"],
    [2 * d + 4 * h, "2d4h"],
    [400 * d, "400d"],
    [800 * d, "2y70d"],
    [3000 * d, "8y"],
    [-5, "<invalid>"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(age(seconds * 1000)).toBe(text);
  });
});

describe("JSON paths", () => {
  const value = {
    spec: { size: 3, list: ["a", "b"], "a.b": 1 },
    metadata: { labels: { "x.io/y": "z" } },
    status: {
      conditions: [
        { type: "Ready", status: "True" },
        { type: "Synced", status: "False" },
      ],
    },
  };
  test.each([
    [".spec.size", [3]],
    ["{.spec.size}", [3]],
    [".spec.list[1]", ["b"]],
    [".spec.list[-1]", ["b"]],
    [".spec.list[*]", ["a", "b"]],
    [".status.conditions[*].type", ["Ready", "Synced"]],
    ['.status.conditions[?(@.type=="Synced")].status', ["False"]],
    [".status.conditions[?(@.type=='Ready')].status", ["True"]],
    [".status.conditions[?(@.type!='Ready')].status", ["False"]],
    [".metadata.labels.x\\.io/y", ["z"]],
    [".metadata.labels['x.io/y']", ["z"]],
    [".spec.missing.deep", []],
    [".constructor", []],
  ])("%s finds %j", (path, found) => {
    expect(jsonPath(path)(value)).toEqual(found);
  });
  test.each([".a[", "a b", ".a..b", ".a[?(@.b)]"])("%s is no path here", (path) => {
    expect(parsePath(path)).toBeUndefined();
  });
});

describe("patches", () => {
  test.each([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [["a"], ["b"], ["b"]],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  ])("RFC 7386: %j with %j is %j", (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  test.each([
    [{ a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 }],
    [{ a: [1, 3] }, [{ op: "add", path: "/a/1", value: 2 }], { a: [1, 2, 3] }],
    [{ a: [1] }, [{ op: "add", path: "/a/-", value: 2 }], { a: [1, 2] }],
    [{ a: 1, b: 2 }, [{ op: "remove", path: "/a" }], { b: 2 }],
    [{ a: 1 }, [{ op: "replace", path: "/a", value: 2 }], { a: 2 }],
    [{ a: { b: 1 }, c: {} }, [{ op: "move", from: "/a/b", path: "/c/d" }], { a: {}, c: { d: 1 } }],
    [{ a: 1 }, [{ op: "copy", from: "/a", path: "/b" }], { a: 1, b: 1 }],
    [{ "a/b": { "~": 1 } }, [{ op: "test", path: "/a~1b/~0", value: 1 }], { "a/b": { "~": 1 } }],
    [{ a: 1 }, [{ op: "replace", path: "", value: { b: 1 } }], { b: 1 }],
  ])("RFC 6902: %j with %j is %j", (target, patch, result) => {
    const before = structuredClone(target);
    expect(jsonPatch(target, patch)).toEqual(result);
    expect(target).toEqual(before);
  });

  test.each([
    [[{ op: "test", path: "/a", value: 2 }], 422],
    [[{ op: "remove", path: "/b" }], 422],
    [[{ op: "replace", path: "/b", value: 1 }], 422],
    [[{ op: "add", path: "/l/5", value: 1 }], 422],
    [[{ op: "move", from: "/a", path: "/a/b" }], 422],
    [[{ op: "add", path: "/a" }], 400],
    [[{ op: "turn", path: "/a" }], 400],
    [[{ op: "add", path: "a", value: 1 }], 400],
    [{}, 400],
    [Array.from({ length: 10_001 }, () => ({ op: "test", path: "/a", value: 1 })), 413],
  ])("the JSON patch %.60j is refused with %d", (patch, code) => {
    expect(codeOf(() => jsonPatch({ a: 1, l: [] }, patch))).toBe(code);
  });

  test("no patch reaches the prototype of objects", () => {
    const evil = JSON.parse('{"__proto__":{"polluted":1}}');
    mergePatch({}, evil);
    jsonPatch({}, [{ op: "add", path: "/__proto__", value: { polluted: 1 } }]);
    expect(codeOf(() => jsonPatch({}, [{ op: "add", path: "/constructor/prototype/polluted", value: 1 }]))).toBe(422);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test.each([
    [
      "keys merge lists",
      { ownerReferences: [{ uid: "1", name: "a" }] },
      { ownerReferences: [{ uid: "2" }] },
      { ownerReferences: [{ uid: "1", name: "a" }, { uid: "2" }] },
    ],
    [
      "an item changes by its key",
      { ownerReferences: [{ uid: "1", name: "a" }] },
      { ownerReferences: [{ uid: "1", name: "b" }] },
      { ownerReferences: [{ uid: "1", name: "b" }] },
    ],
    [
      "an item goes",
      { ownerReferences: [{ uid: "1" }, { uid: "2" }] },
      { ownerReferences: [{ $patch: "delete", uid: "1" }] },
      { ownerReferences: [{ uid: "2" }] },
    ],
    [
      "a list is replaced",
      { ownerReferences: [{ uid: "1" }] },
      { ownerReferences: [{ $patch: "replace" }, { uid: "2" }] },
      { ownerReferences: [{ uid: "2" }] },
    ],
    [
      "texts join",
      { finalizers: ["a"] },
      { finalizers: ["b"], "$setElementOrder/finalizers": ["b", "a"] },
      { finalizers: ["b", "a"] },
    ],
    ["texts go", { finalizers: ["a", "b"] }, { "$deleteFromPrimitiveList/finalizers": ["a"] }, { finalizers: ["b"] }],
    ["a map is replaced", { labels: { a: "1" } }, { labels: { $patch: "replace", b: "2" } }, { labels: { b: "2" } }],
    ["a null removes", { labels: { a: "1", b: "2" } }, { labels: { a: null } }, { labels: { b: "2" } }],
    [
      "keys are retained",
      { labels: { a: "1", b: "2" } },
      { labels: { $retainKeys: ["b"], b: "3" } },
      { labels: { b: "3" } },
    ],
  ])("strategic merge: %s", (_, target, patch, result) => {
    expect(strategicPatch(target, patch, objectMeta)).toEqual(result);
  });
  test("strategic merge: an unknown directive is refused", () => {
    expect(codeOf(() => strategicPatch({}, { "$turn/x": [] }, objectMeta))).toBe(400);
  });
});

describe("schemas", () => {
  const schema: Schema = {
    type: "object",
    properties: {
      a: { type: "object", default: {}, properties: { b: { type: "integer", default: 1 } } },
      open: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: { type: "object" } } },
      nested: { type: "object", "x-kubernetes-embedded-resource": true },
      map: { type: "object", additionalProperties: { type: "object", properties: { x: { type: "string" } } } },
      maybe: { type: "string", nullable: true, default: "d" },
    },
  };
  test("defaults fill in what is absent, deeply, and replace a null that is not allowed", () => {
    expect(withDefaults({}, schema)).toEqual({ a: { b: 1 }, maybe: "d" });
    expect(withDefaults({ a: null, maybe: null }, schema)).toEqual({ a: { b: 1 }, maybe: null });
  });
  test("unknown fields are pruned, but not where they are preserved", () => {
    const unknown: string[] = [];
    const value = {
      a: { c: 1 },
      open: { x: 1, a: { y: 1 } },
      nested: { kind: "K", metadata: {}, z: 1 },
      map: { k: { x: "", y: "" } },
    };
    expect(prune(value, schema, "", unknown)).toEqual({
      a: {},
      open: { x: 1, a: {} },
      nested: { kind: "K", metadata: {} },
      map: { k: { x: "" } },
    });
    expect(unknown).toEqual(["a.c", "open.a.y", "nested.z", "map.k.y"]);
  });
  test.each<[string, unknown, Schema, Cause["reason"] | undefined]>([
    ["a number for an integer", 1.5, { type: "integer" }, "FieldValueTypeInvalid"],
    ["an integer for a number", 1, { type: "number" }, undefined],
    ["null where it is allowed", null, { type: "string", nullable: true }, undefined],
    ["null where it is not", null, { type: "string" }, "FieldValueTypeInvalid"],
    ["a value at an open limit", 1, { type: "integer", minimum: 1, exclusiveMinimum: true }, "FieldValueInvalid"],
    ["a multiple of 0.1", 0.3, { type: "number", multipleOf: 0.1 }, undefined],
    ["too long a text", "abc", { type: "string", maxLength: 2 }, "FieldValueTooLong"],
    ["too many items", [1, 2], { type: "array", maxItems: 1, items: { type: "integer" } }, "FieldValueTooMany"],
    ["a wrong time", "yesterday", { type: "string", format: "date-time" }, "FieldValueInvalid"],
    ["none of any", 5, { type: "integer", anyOf: [{ maximum: 1 }, { minimum: 9 }] }, "FieldValueInvalid"],
    ["two of one", 5, { type: "integer", oneOf: [{ minimum: 1 }, { maximum: 9 }] }, "FieldValueInvalid"],
    ["what must not be", 5, { type: "integer", not: { minimum: 1 } }, "FieldValueInvalid"],
    [
      "a key twice",
      [{ k: 1 }, { k: 1 }],
      {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        items: { type: "object" },
      },
      "FieldValueDuplicate",
    ],
  ])("%s", (_, value, schema, reason) => {
    const causes: Cause[] = [];
    validate(value, schema, "x", causes);
    expect(causes.map((cause) => cause.reason)).toEqual(reason === undefined ? [] : [reason]);
  });
  test.each([
    ["(?=a)b", false],
    ["(?<!a)b", false],
    ["(a)\\1", false],
    ["[", false],
    ["^[a-z0-9\\-]+$", true],
    ["^(?P<x>a)$", true],
  ])("the pattern %s can be kept: %s", (pattern, kept) => {
    expect(compile(pattern) !== undefined).toBe(kept);
  });
  test.each([
    ["ipv4", "10.0.0.5", true],
    ["ipv4", "10.0.0", false],
    ["cidr", "10.0.0.0/8", true],
    ["cidr", "10.0.0.0/33", false],
    ["date", "2026-02-30x", false],
    ["byte", "YQ==", true],
    ["byte", "YQ=", false],
    ["unheard-of", "x", true],
  ])("format %s of %s: %s", (format, value, kept) => {
    expect(keepsFormat(format, value)).toBe(kept);
  });
});

describe("names", () => {
  test("rules of names", () => {
    expect(nameProblem("a.b-c", "subdomain")).toBeUndefined();
    expect(nameProblem("a.b", "label")).toBeDefined();
    expect(nameProblem("-a", "subdomain")).toBeDefined();
    expect(nameProblem("a".repeat(254), "subdomain")).toBeDefined();
    expect(isQualifiedName("example.dev/Name_1")).toBe(true);
    expect(isQualifiedName("/x")).toBe(false);
    expect(generatedName("p".repeat(80))).toHaveLength(63);
  });
  test("versions are ordered by their stability", () => {
    const versions = ["v1alpha1", "foo", "v1", "v2beta1", "v10", "v1beta2", "v2", "v1beta10"];
    expect(versions.toSorted(compareVersions)).toEqual([
      "v10",
      "v2",
      "v1",
      "v2beta1",
      "v1beta10",
      "v1beta2",
      "v1alpha1",
      "foo",
    ]);
  });
});

describe("what comes from the wire", () => {
  test("repeated keys are found, and escapes do not hide them", () => {
    expect(duplicateKeys('{"a":1,"b":[{"c":"}\\"","\\u0063":2}], "a" : {} }')).toEqual(["b[0].c", "a"]);
    expect(duplicateKeys('{"a":{"x":1},"b":{"x":1},"c":[],"d":[1,"x"],"e":-1e3}')).toEqual([]);
  });
  test.each(["", "k8s\0", "k8s\0\x0a\xff\xff", "k8s\0\x0a\x05\x0a", "k8s\0\x0f"])("%j is no message", (text) => {
    expect([400, 415]).toContain(codeOf(() => decodeProtobuf(Buffer.from(text, "latin1"))));
  });
});

function codeOf(work: () => unknown): number {
  try {
    work();
  } catch (error) {
    if (error instanceof StatusError) return error.code;
    throw error;
  }
  return 200;
}
