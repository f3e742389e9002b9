import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { crds } from "#devices/crd";
import { printYaml } from "#std/yaml";

const folder = join(import.meta.dirname, "../../../charts/edge-cloud/crds");

/** Every schema in a schema, with its path. */
function* nodes(schema: Record<string, unknown>, path = ""): Generator<[string, Record<string, unknown>]> {
  yield [path, schema];
  for (const [name, child] of Object.entries((schema.properties ?? {}) as Record<string, never>))
    yield* nodes(child, `${path}.${name}`);
  if (schema.items) yield* nodes(schema.items as never, `${path}[]`);
  if (schema.additionalProperties) yield* nodes(schema.additionalProperties as never, `${path}.*`);
}

function schemaOf(crd: object): Record<string, unknown> {
  const { spec } = crd as { spec: { versions: [{ schema: { openAPIV3Schema: Record<string, unknown> } }] } };
  return spec.versions[0].schema.openAPIV3Schema;
}

test.each(crds().map((crd) => [(crd.metadata as { name: string }).name, crd] as const))(
  "the printed %s is fresh",
  (name, crd) => {
    const text = readFileSync(join(folder, `${name}.yaml`), "utf8");
    expect(text.split("\n").slice(1).join("\n")).toBe(printYaml(crd));
  },
);

test.each(crds().map((crd) => [(crd.metadata as { name: string }).name, crd] as const))(
  "the schema of %s is structural",
  (_, crd) => {
    for (const [path, node] of nodes(schemaOf(crd))) {
      const open = node["x-kubernetes-preserve-unknown-fields"] === true;
      expect({ path, typed: open || typeof node.type === "string" }).toEqual({ path, typed: true });
      for (const word of ["$ref", "anyOf", "allOf", "oneOf", "definitions", "$schema"])
        expect(node).not.toHaveProperty(word);
      expect(node.additionalProperties === false || (node.properties && node.additionalProperties)).toBeFalsy();
      if (node["x-kubernetes-list-type"] === "map") {
        const { required } = node.items as { required: string[] };
        expect(required).toEqual(expect.arrayContaining(node["x-kubernetes-list-map-keys"] as string[]));
      }
    }
  },
);

test("every field of a spec says what it is", () => {
  for (const crd of crds()) {
    const { spec } = schemaOf(crd).properties as Record<string, Record<string, unknown>>;
    for (const [path, node] of nodes(spec ?? {})) {
      if (/^$|\[\]$|\*$/.test(path)) continue;
      expect({ path, description: typeof node.description }).toEqual({ path, description: "string" });
    }
  }
});
