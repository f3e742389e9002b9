/** How the API says that something went wrong: as a Kubernetes Status. */
import type { JsonObject } from "./json.ts";

/** One wrong field of an object. **Source:** Kubernetes, meta/v1 StatusCause. */
export interface Cause {
  readonly reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueTypeInvalid"
    | "FieldValueForbidden"
    | "FieldValueDuplicate"
    | "FieldValueTooLong"
    | "FieldValueTooMany";
  readonly message: string;
  readonly field: string;
}

/** What a Status may tell besides its message. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** The plural name of the resource; the kind itself where an object is invalid. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly (Cause | { readonly reason: string; readonly message: string; readonly field?: string })[];
  readonly retryAfterSeconds?: number;
}

/** Names a resource in messages. */
export interface Named {
  readonly group: string;
  readonly plural: string;
}

/** An answer that is a failure. It is thrown by whoever notices, and written by the server alone. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  /** The Status object that clients get. */
  body(): JsonObject {
    const { code, reason, message, details } = this;
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason,
      ...(details ? { details } : {}),
      code,
    };
  }
}

/** `widgets.example.dev` or `configmaps`: how upstream names a resource in messages. */
export function qualified({ group, plural }: Named): string {
  return group === "" ? plural : `${plural}.${group}`;
}

/** 400: the request can not be understood. */
export function badRequest(message: string): StatusError {
  return new StatusError(400, "BadRequest", message);
}

/** 403 for a write that is understood and never allowed. */
export function forbidden(resource: Named, name: string, why: string, details: StatusDetails = {}): StatusError {
  const message = `${qualified(resource)}${name === "" ? "" : ` "${name}"`} is forbidden: ${why}`;
  return new StatusError(403, "Forbidden", message, { name, group: resource.group, kind: resource.plural, ...details });
}

/** 404: no such object. */
export function notFound(resource: Named, name: string): StatusError {
  const details = { name, group: resource.group, kind: resource.plural };
  return new StatusError(404, "NotFound", `${qualified(resource)} "${name}" not found`, details);
}

/** 404: no such resource, so that clients read discovery again. */
export function noSuchResource(): StatusError {
  return new StatusError(404, "NotFound", "the server could not find the requested resource", {});
}

/** 405: the resource does not know the verb. */
export function notAllowed(message: string): StatusError {
  return new StatusError(405, "MethodNotAllowed", message);
}

/** 409: the name is taken. */
export function alreadyExists(resource: Named, name: string): StatusError {
  const details = { name, group: resource.group, kind: resource.plural };
  return new StatusError(409, "AlreadyExists", `${qualified(resource)} "${name}" already exists`, details);
}

/** 409: somebody else was faster, or a precondition does not hold. */
export function conflict(resource: Named, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`;
  return new StatusError(409, "Conflict", message, { name, group: resource.group, kind: resource.plural });
}

/** 410: the history that was asked for is compacted; the client lists again. */
export function expired(message: string): StatusError {
  return new StatusError(410, "Expired", message);
}

/** 415: a body of a type that is not understood here. */
export function unsupportedMedia(message: string): StatusError {
  return new StatusError(415, "UnsupportedMediaType", message);
}

/** 422: the object breaks its schema or the rules of metadata. */
export function invalid(kind: { group: string; kind: string }, name: string, causes: readonly Cause[]): StatusError {
  const told = causes.map(({ field, message }) => `${field}: ${message}`);
  const all = told.length === 1 ? told[0] : `[${told.join(", ")}]`;
  const title = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const details = { name, group: kind.group, kind: kind.kind, causes };
  return new StatusError(422, "Invalid", `${title} "${name}" is invalid: ${all}`, details);
}
