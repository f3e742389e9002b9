/** Lists as tables, the form that `kubectl get` asks for. */
import type { JsonObject } from "./json.ts";
import type { Column, KubeObject } from "./resource.ts";

/** How a table is wanted. */
export interface TableForm {
  readonly version: "v1" | "v1beta1";
  /** What of each object goes with its row. @default "Metadata" */
  readonly include: "None" | "Metadata" | "Object";
}

/** Column definitions as JSON. **Source:** Kubernetes, meta.k8s.io/v1 TableColumnDefinition. */
export function columnDefinitions(columns: readonly Column[]): readonly JsonObject[] {
  return columns.map(({ name, type, format = "", description, priority }) => ({
    name,
    type,
    format,
    description,
    priority,
  }));
}

/** One row of a table. */
export function row(object: KubeObject, columns: readonly Column[], form: TableForm, nowMs: number): JsonObject {
  const cells = columns.map(({ cell }) => cell(object, nowMs));
  if (form.include === "None") return { cells, object: null };
  return { cells, object: form.include === "Object" ? object : partial(object, form.version) };
}

/** An object reduced to its metadata. **Source:** Kubernetes, meta.k8s.io/v1 PartialObjectMetadata. */
export function partial(object: KubeObject, version: "v1" | "v1beta1" = "v1"): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

/** A table around rows. In a watch, columns are told once. */
export function table(
  rows: readonly JsonObject[],
  columns: readonly Column[] | undefined,
  metadata: JsonObject,
  { version }: TableForm,
): JsonObject {
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: columns ? columnDefinitions(columns) : null,
    rows,
  };
}
