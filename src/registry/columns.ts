/** Columns of `kubectl get`. */
import { age } from "./age.ts";
import { jsonPath } from "./json-path.ts";
import type { Column } from "./resource.ts";

/** Describes a column that is found by a JSON path. */
export interface ColumnSource {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly format?: string | undefined;
  readonly description?: string | undefined;
  readonly priority?: number | undefined;
}

/** A column of a CustomResourceDefinition. **Source:** Kubernetes, CustomResourceColumnDefinition. */
export function column({ name, type, jsonPath: path, format, description = "", priority = 0 }: ColumnSource): Column {
  const find = jsonPath(path);
  const cell: Column["cell"] = (object, nowMs) => shape(find(object), type, nowMs);
  const shown = description === "" ? `Custom resource definition column (in JSONPath format): ${path}` : description;
  // The server has made ages of dates already, so that clients see texts.
  const shownType = type === "date" ? "string" : type;
  return { name, type: shownType, ...(format === undefined ? {} : { format }), description: shown, priority, cell };
}

/** The first column of every table. */
export const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
  cell: ({ metadata }) => metadata.name,
};

/** The last column of most tables. */
export const ageColumn: Column = column({
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "Time since the object was created.",
});

function shape(found: readonly unknown[], type: string, nowMs: number): unknown {
  const [first] = found;
  if (first === undefined || first === null) return null;
  switch (type) {
    case "integer":
      return typeof first === "number" ? Math.trunc(first) : null;
    case "number":
      return typeof first === "number" ? first : null;
    case "boolean":
      return typeof first === "boolean" ? first : null;
    case "date": {
      const ms = typeof first === "string" ? Date.parse(first) : Number.NaN;
      return Number.isNaN(ms) ? "<unknown>" : age(nowMs - ms);
    }
    default:
      return found.length > 1 || typeof first === "object"
        ? found.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(",")
        : String(first);
  }
}
