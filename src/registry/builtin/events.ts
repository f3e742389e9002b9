/** Events, in both groups over one store. **Source:** Kubernetes API reference 1.32, core v1 and events.k8s.io/v1 Event. */
import { age } from "../age.ts";
import { column, nameColumn } from "../columns.ts";
import { isObject, type JsonObject, object, text } from "../json.ts";
import type { Column, KubeObject, Resource } from "../resource.ts";
import type { Schema } from "../schema/schema.ts";
import { builtin, fields, integer, string, time } from "./kind.ts";

const reference = (description: string): Schema =>
  fields(description, {
    apiVersion: string("API version of the referent."),
    kind: string("Kind of the referent."),
    name: string("Name of the referent."),
    namespace: string("Namespace of the referent."),
    uid: string("UID of the referent."),
    resourceVersion: string("Version of the referent."),
    fieldPath: string("A part of the referent."),
  });

const source = fields("The component that reports the event.", {
  component: string("Component from which the event is generated."),
  host: string("Node on which the event is generated."),
});

const shared: Readonly<Record<string, Schema>> = {
  action: string("What action was taken or failed, regarding the object."),
  eventTime: time("Time when the event was first observed."),
  reason: string("Why the action was taken, in one word for programs."),
  related: reference("A second object for more complex actions."),
  reportingInstance: string("Id of the controller instance."),
  series: {
    type: "object",
    nullable: true,
    description: "The series that the event stands for.",
    properties: { count: integer("Number of occurrences."), lastObservedTime: time("Time of the last occurrence.") },
  },
  type: string("Normal or Warning."),
};

/** Fields whose names differ: core, then events.k8s.io. */
const RENAMED = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
] as const;

/** Events of the core group. The store keeps them in this form. */
export const events: Resource = builtin(
  {
    group: "",
    version: "v1",
    kind: "Event",
    plural: "events",
    shortNames: ["ev"],
    fields: [
      ...["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"].map(
        (field) => `involvedObject.${field}`,
      ),
      ...["reason", "type", "reportingComponent", "source"],
    ],
    columns: eventColumns("involvedObject"),
  },
  {
    description: "Event is a report of an event somewhere in the cluster.",
    required: ["involvedObject"],
    properties: {
      ...shared,
      involvedObject: reference("The object that this event is about."),
      message: string("What happened, for people."),
      source,
      firstTimestamp: time("The time at which the event was first recorded."),
      lastTimestamp: time("The time at which the most recent occurrence was recorded."),
      count: integer("The number of times this event has occurred."),
      reportingComponent: string("Name of the controller that emitted this event."),
    },
  },
);

/** Events of the newer group: another view of the same objects. */
export const eventsV1: Resource = {
  ...builtin(
    {
      group: "events.k8s.io",
      version: "v1",
      kind: "Event",
      plural: "events",
      shortNames: ["ev"],
      fields: ["reason", "type", "reportingController", "regarding.kind", "regarding.name", "regarding.uid"],
      columns: eventColumns("regarding"),
    },
    {
      description: "Event is a report of an event somewhere in the cluster.",
      properties: {
        ...shared,
        regarding: reference("The object that this event is about."),
        note: string("What happened, for people."),
        deprecatedSource: source,
        deprecatedFirstTimestamp: time("For compatibility with the core group."),
        deprecatedLastTimestamp: time("For compatibility with the core group."),
        deprecatedCount: integer("For compatibility with the core group."),
        reportingController: string("Name of the controller that emitted this event."),
      },
    },
  ),
  key: events.key,
  storedAs: events.storedAs,
  conversion: {
    toStored: (event) =>
      rename(
        event,
        RENAMED.map(([core, newer]) => [newer, core]),
        { involvedObject: {} },
      ),
    fromStored: (event) => rename(event, RENAMED),
  },
};

function rename(
  event: JsonObject,
  names: readonly (readonly [string, string])[],
  defaults: JsonObject = {},
): JsonObject {
  const map = new Map(names);
  const renamed = Object.entries(event).map(([key, value]) => [map.get(key) ?? key, value] as const);
  return { ...defaults, ...Object.fromEntries(renamed) };
}

function eventColumns(about: "involvedObject" | "regarding"): readonly Column[] {
  const field = (core: string, newer: string) => (about === "involvedObject" ? core : newer);
  const [first, last, count] = [
    field("firstTimestamp", "deprecatedFirstTimestamp"),
    field("lastTimestamp", "deprecatedLastTimestamp"),
    field("count", "deprecatedCount"),
  ];
  const seen = (
    name: string,
    priority: number,
    description: string,
    times: (event: KubeObject) => readonly unknown[],
  ) => ({
    name,
    type: "string",
    description,
    priority,
    cell: (event: KubeObject, nowMs: number) => since(times(event), nowMs),
  });
  const message = field("message", "note");
  return [
    seen("Last Seen", 0, "Time since the event was last seen.", (event) => [
      object(event.series).lastObservedTime,
      event[last],
      event.eventTime,
      event.metadata.creationTimestamp,
    ]),
    column({ name: "Type", type: "string", jsonPath: ".type", description: "Normal or Warning." }),
    column({ name: "Reason", type: "string", jsonPath: ".reason", description: "Why, in one word." }),
    {
      name: "Object",
      type: "string",
      description: "The object that this event is about.",
      priority: 0,
      cell: (event) => {
        const { kind, name } = object(event[about]);
        return kind === undefined ? text(name) : `${text(kind).toLowerCase()}/${text(name)}`;
      },
    },
    column({ name: "Subobject", type: "string", jsonPath: `.${about}.fieldPath`, description: "A part.", priority: 1 }),
    { name: "Source", type: "string", description: "Who reported it.", priority: 1, cell: reporter },
    {
      ...column({ name: "Message", type: "string", jsonPath: `.${message}`, description: "What happened." }),
      cell: (event) => text(event[message]).trim(),
    },
    seen("First Seen", 1, "Time since the event was first seen.", (event) => [
      event[first],
      event.eventTime,
      event.metadata.creationTimestamp,
    ]),
    {
      name: "Count",
      type: "string",
      description: "How often it happened.",
      priority: 1,
      cell: (event) => object(event.series).count ?? event[count] ?? 1,
    },
    { ...nameColumn, priority: 1 },
  ];
}

function since(times: readonly unknown[], nowMs: number): string {
  const first = times.map((one) => Date.parse(text(one))).find((ms) => !Number.isNaN(ms));
  return first === undefined ? "<unknown>" : age(nowMs - first);
}

function reporter(event: KubeObject): string {
  const from = [event.source, event.deprecatedSource].find(isObject);
  const names = [text(from?.component), text(from?.host)].filter((name) => name !== "");
  return names.join(", ") || text(event.reportingComponent ?? event.reportingController);
}
