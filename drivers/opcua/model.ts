import type { Found } from "./browse.ts";

/** A DeviceModel as people apply it. */
export interface ModelManifest {
  readonly apiVersion: string;
  readonly kind: "DeviceModel";
  readonly metadata: { readonly name: string };
  readonly spec: { readonly protocol: "opcua"; readonly properties: readonly PropertyManifest[] };
}

interface PropertyManifest {
  readonly name: string;
  readonly description?: string;
  readonly type: "boolean" | "integer" | "number" | "string" | "bytes" | "json";
  readonly access: "read" | "write" | "readwrite";
  readonly address: { readonly nodeId: string };
}

const LONGEST_NAME = 63;

/**
 * Makes a DeviceModel of chosen nodes: one property per variable that can be read or written, named after the shortest
 * end of its path that tells it from the others. What is no variable is left out.
 *
 * @param apiVersion - group and version of the kind, such as `devices.skerry.dev/v1alpha1`.
 */
export function modelOf(selection: readonly Found[], name: string, apiVersion: string): ModelManifest {
  const variables = selection.filter((found) => found.class === "variable" && found.access !== "none");
  const names = namesOf(variables.map(({ path }) => path));
  const properties = variables.map(({ path, nodeId, type = "", access = "read" }, i) => ({
    name: names[i] ?? `node-${i}`,
    ...(path === names[i] ? {} : { description: path }),
    type: typeOf(type),
    access: access as PropertyManifest["access"],
    address: { nodeId },
  }));
  return { apiVersion, kind: "DeviceModel", metadata: { name }, spec: { protocol: "opcua", properties } };
}

const types: Readonly<Record<string, PropertyManifest["type"]>> = {
  Boolean: "boolean",
  Float: "number",
  Double: "number",
  ByteString: "bytes",
  ExtensionObject: "json",
  Variant: "json",
};

/** Type of the property that holds a built-in type. Lists are JSON, whatever is in them. */
export function typeOf(type: string): PropertyManifest["type"] {
  if (type.endsWith("[]")) return "json";
  return types[type] ?? (/^U?Int(16|32|64)$|^S?Byte$/.test(type) ? "integer" : "string");
}

/** For each path as few of its last parts as make it unique; a number where even the whole path is not. */
function namesOf(paths: readonly string[]): readonly string[] {
  const parts = paths.map((path) => path.split("/").map(plain));
  const taken = new Map<string, number>();
  return parts.map((own, i) => {
    let length = 1;
    const end = (some: readonly string[]) => some.slice(-length).join("_");
    while (length < own.length && parts.some((other, j) => j !== i && end(other) === end(own))) length++;
    const name =
      end(own)
        .slice(-LONGEST_NAME)
        .replace(/^[^A-Za-z]+/, "") || "node";
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    return count === 1 ? name : `${name.slice(0, LONGEST_NAME - 5)}-${count}`;
  });
}

/** The letters that the name of a property may have. */
function plain(part: string): string {
  const kept = part.replaceAll(/[^A-Za-z0-9_-]+/g, "-").replaceAll(/^-+|-+$/g, "");
  return /^[A-Za-z]/.test(kept) ? kept : `n${kept}`;
}
