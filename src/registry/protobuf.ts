/**
 * Reads the few Kubernetes protobuf messages that kubectl sends by itself: `kubectl create namespace` and its like
 * know no JSON. Answers are always JSON, which kubectl accepts too.
 *
 * **Source:** Kubernetes, `generated.proto` of the named packages, for the field numbers; protobuf encoding guide.
 */
import type { JsonObject } from "./json.ts";
import { badRequest, unsupportedMedia } from "./status.ts";

/** One field of a message: its name, and how its value is written. */
type Field = readonly [
  name: string,
  kind: "string" | "bool" | "int" | "bytes" | "time" | Message,
  repeated?: "list" | "map",
];
/** Fields by their numbers. */
interface Message {
  readonly [number: number]: Field;
}

const ownerReference: Message = {
  1: ["kind", "string"],
  3: ["name", "string"],
  4: ["uid", "string"],
  5: ["apiVersion", "string"],
  6: ["controller", "bool"],
  7: ["blockOwnerDeletion", "bool"],
};

const objectMeta: Message = {
  1: ["name", "string"],
  2: ["generateName", "string"],
  3: ["namespace", "string"],
  5: ["uid", "string"],
  6: ["resourceVersion", "string"],
  7: ["generation", "int"],
  11: ["labels", "string", "map"],
  12: ["annotations", "string", "map"],
  13: ["ownerReferences", ownerReference, "list"],
  14: ["finalizers", "string", "list"],
};

const reference: Message = {
  1: ["kind", "string"],
  2: ["namespace", "string"],
  3: ["name", "string"],
  4: ["uid", "string"],
  5: ["apiVersion", "string"],
  6: ["resourceVersion", "string"],
  7: ["fieldPath", "string"],
};

const resourceAttributes: Message = {
  1: ["namespace", "string"],
  2: ["verb", "string"],
  3: ["group", "string"],
  4: ["version", "string"],
  5: ["resource", "string"],
  6: ["subresource", "string"],
  7: ["name", "string"],
};

const messages: Readonly<Record<string, Message>> = {
  "v1 Namespace": {
    1: ["metadata", objectMeta],
    2: ["spec", { 1: ["finalizers", "string", "list"] }],
    3: ["status", { 1: ["phase", "string"] }],
  },
  "v1 ConfigMap": {
    1: ["metadata", objectMeta],
    2: ["data", "string", "map"],
    3: ["binaryData", "bytes", "map"],
    4: ["immutable", "bool"],
  },
  "v1 Secret": {
    1: ["metadata", objectMeta],
    2: ["data", "bytes", "map"],
    3: ["type", "string"],
    4: ["stringData", "string", "map"],
    5: ["immutable", "bool"],
  },
  "v1 ServiceAccount": {
    1: ["metadata", objectMeta],
    2: ["secrets", reference, "list"],
    3: ["imagePullSecrets", { 1: ["name", "string"] }, "list"],
    4: ["automountServiceAccountToken", "bool"],
  },
  "authorization.k8s.io/v1 SelfSubjectAccessReview": {
    1: ["metadata", objectMeta],
    2: [
      "spec",
      {
        1: ["resourceAttributes", resourceAttributes],
        2: ["nonResourceAttributes", { 1: ["path", "string"], 2: ["verb", "string"] }],
      },
    ],
  },
  "authentication.k8s.io/v1 SelfSubjectReview": { 1: ["metadata", objectMeta] },
  "v1 DeleteOptions": {
    1: ["gracePeriodSeconds", "int"],
    2: ["preconditions", { 1: ["uid", "string"], 2: ["resourceVersion", "string"] }],
    3: ["orphanDependents", "bool"],
    4: ["propagationPolicy", "string"],
    5: ["dryRun", "string", "list"],
  },
};

const typeMeta: Message = { 1: ["apiVersion", "string"], 2: ["kind", "string"] };
const envelope: Message = { 1: ["typeMeta", typeMeta], 2: ["raw", "bytes"] };
const MAGIC = Buffer.from("k8s\0");

/** @throws {StatusError} 415 for a kind that is not in the table, 400 for bytes that are no message. */
export function decodeProtobuf(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw badRequest("the body is not a Kubernetes protobuf message");
  const { typeMeta, raw } = decode(bytes.subarray(MAGIC.length), envelope);
  const { apiVersion = "", kind = "" } = (typeMeta ?? {}) as { apiVersion?: string; kind?: string };
  const message =
    messages[`${apiVersion} ${kind}`] ?? (kind === "DeleteOptions" ? messages["v1 DeleteOptions"] : undefined);
  if (!message)
    throw unsupportedMedia(
      `${apiVersion} ${kind} is not understood as protobuf by this server; write it to a file and use: kubectl apply -f`,
    );
  return { apiVersion, kind, ...decode(Buffer.from(String(raw ?? ""), "base64"), message) };
}

function decode(bytes: Buffer, message: Message): JsonObject {
  const result: JsonObject = {};
  let at = 0;

  function varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63) throw badRequest("the protobuf message ends in the middle of a number");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  function take(length: number): Buffer {
    if (at + length > bytes.length) throw badRequest("the protobuf message is shorter than it says");
    at += length;
    return bytes.subarray(at - length, at);
  }

  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    if (wire !== 0 && wire !== 1 && wire !== 2 && wire !== 5) throw badRequest(`unknown protobuf wire type ${wire}`);
    const value = wire === 0 ? varint() : take(wire === 2 ? varint() : wire === 1 ? 8 : 4);
    const field = message[Math.floor(tag / 8)];
    if (field) set(result, field, value);
  }
  return result;
}

function set(result: JsonObject, [name, kind, repeated]: Field, value: number | Buffer): void {
  if (repeated === "map") {
    const { key = "", value: item = "" } = decode(value as Buffer, { 1: ["key", "string"], 2: ["value", kind] });
    result[name] = { ...(result[name] as JsonObject | undefined), [String(key)]: item };
  } else if (repeated === "list")
    result[name] = [...((result[name] as unknown[] | undefined) ?? []), read(kind, value)];
  else result[name] = read(kind, value);
}

function read(kind: Field[1], value: number | Buffer): unknown {
  if (typeof value === "number") return kind === "bool" ? value === 1 : value;
  if (kind === "string") return value.toString();
  if (kind === "bytes") return value.toString("base64");
  return typeof kind === "object" ? decode(value, kind) : undefined;
}
