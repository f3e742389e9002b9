/** The kind that defines kinds. **Source:** Kubernetes API reference 1.32, apiextensions.k8s.io/v1. */
import { column, nameColumn } from "../columns.ts";
import type { Resource } from "../resource.ts";
import type { Schema } from "../schema/schema.ts";
import { builtin, fields, integer, string } from "./kind.ts";

const flag = (description: string): Schema => ({ type: "boolean", description });
const texts = (description: string): Schema => ({
  type: "array",
  nullable: true,
  description,
  items: { type: "string" },
});

const names = fields("Names of the resource and its kind.", {
  plural: string("Name of the resource in URLs, lower case."),
  singular: { ...string("Name for one of them, lower case."), default: "" },
  kind: string("Name of the kind, in CamelCase."),
  listKind: string("Name of the kind of lists of it."),
  shortNames: texts("Short names for the command line."),
  categories: texts("Groups of resources that it belongs to, such as all."),
});

const columnSchema: Schema = {
  type: "object",
  required: ["name", "type", "jsonPath"],
  properties: {
    name: string("Title of the column."),
    type: string("OpenAPI type, or date."),
    format: string("OpenAPI format."),
    description: string("What the column says."),
    priority: integer("Above 0 it is shown with -o wide only."),
    jsonPath: string("Where the value is."),
  },
};

const version: Schema = {
  type: "object",
  required: ["name", "served", "storage"],
  properties: {
    name: string("Name of the version, such as v1beta1."),
    served: flag("Whether it can be used."),
    storage: flag("Whether objects are stored in it; true for exactly one."),
    deprecated: flag("Whether its use is warned of."),
    deprecationWarning: string("Text of that warning."),
    schema: fields("What objects look like.", {
      openAPIV3Schema: {
        type: "object",
        description: "The structural schema.",
        "x-kubernetes-preserve-unknown-fields": true,
      },
    }),
    subresources: fields("Parts that are served apart.", {
      status: { type: "object", description: "Serves /status apart from the rest." },
      scale: fields("Serves /scale.", {
        specReplicasPath: string("JSON path of the number that is wanted."),
        statusReplicasPath: string("JSON path of the number that is there."),
        labelSelectorPath: string("JSON path of the selector of what is counted."),
      }),
    }),
    additionalPrinterColumns: { type: "array", nullable: true, description: "Columns of tables.", items: columnSchema },
    selectableFields: {
      type: "array",
      nullable: true,
      description: "Fields that field selectors may name.",
      items: { type: "object", required: ["jsonPath"], properties: { jsonPath: string("Where the value is.") } },
    },
  },
};

/** CustomResourceDefinitions. */
export const definitions: Resource = builtin(
  {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    namespaced: false,
    status: true,
    generation: true,
    columns: [
      nameColumn,
      {
        ...column({
          name: "Created At",
          type: "string",
          jsonPath: ".metadata.creationTimestamp",
          description: "When.",
        }),
        format: "date-time",
      },
    ],
  },
  {
    description: "CustomResourceDefinition represents a resource that is served like the built-in ones.",
    required: ["spec"],
    properties: {
      spec: {
        ...fields("Spec describes how the resource is served.", {
          group: string("API group of the resource."),
          names,
          scope: { ...string("Cluster or Namespaced."), enum: ["Cluster", "Namespaced"] },
          versions: { type: "array", description: "All versions of the resource.", items: version },
          conversion: {
            ...fields("How objects get from one version to another.", {
              strategy: string("None: only apiVersion changes."),
              webhook: { type: "object", nullable: true, "x-kubernetes-preserve-unknown-fields": true },
            }),
            default: { strategy: "None" },
          },
          preserveUnknownFields: flag("Must be false."),
        }),
        required: ["group", "names", "scope", "versions"],
      },
      status: fields("Status says whether it is served.", {
        conditions: {
          type: "array",
          nullable: true,
          description: "NamesAccepted, Established, Terminating.",
          items: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["type"],
        },
        acceptedNames: names,
        storedVersions: texts("Versions in which objects may be stored."),
      }),
    },
  },
);
