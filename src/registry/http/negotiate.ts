/** In which form an answer is wanted. */
import { StatusError } from "../status.ts";

/** One choice of an Accept header. */
interface Range {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The form of objects in an answer. */
export type Form =
  | { readonly as: "Object" }
  | { readonly as: "Table"; readonly version: "v1" | "v1beta1" }
  | { readonly as: "Partial"; readonly version: "v1" | "v1beta1" };

/** The form of an answer about discovery. */
export type DiscoveryForm = "v2" | "v2beta1" | "legacy";

const ANY = new Set(["*/*", "application/*", "application/json"]);

/** The first form of an Accept header that exists here. @throws {StatusError} 406. */
export function formOf(accept: string | undefined): Form {
  for (const { type, parameters } of ranges(accept)) {
    if (!ANY.has(type)) continue;
    const { as, g, v } = parameters;
    if (as === undefined) return { as: "Object" };
    if (g !== "meta.k8s.io" || (v !== "v1" && v !== "v1beta1")) continue;
    if (as === "Table") return { as, version: v };
    if (as.startsWith("PartialObjectMetadata")) return { as: "Partial", version: v };
  }
  throw notAcceptable();
}

/** The first form of an Accept header that discovery has. @throws {StatusError} 406. */
export function discoveryFormOf(accept: string | undefined): DiscoveryForm {
  for (const { type, parameters } of ranges(accept)) {
    if (!ANY.has(type)) continue;
    const { as, g, v } = parameters;
    if (as === undefined) return "legacy";
    if (g === "apidiscovery.k8s.io" && as === "APIGroupDiscoveryList" && (v === "v2" || v === "v2beta1")) return v;
  }
  throw notAcceptable();
}

/** True when JSON is among what is accepted. */
export function acceptsJson(accept: string | undefined): boolean {
  return ranges(accept).some(({ type, parameters }) => ANY.has(type) && parameters.as === undefined);
}

/** A media type without its parameters, in lower case. */
export function mediaType(value: string | undefined): string {
  return (value ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

function ranges(accept: string | undefined): readonly Range[] {
  const all = (accept === undefined || accept === "" ? "*/*" : accept).split(",").map((part) => {
    const [type = "", ...rest] = part.split(";").map((one) => one.trim());
    const parameters = Object.fromEntries(rest.map((one) => one.split("=", 2).map((half) => half.trim())));
    return { type: type.toLowerCase(), parameters };
  });
  const weight = ({ parameters }: Range) => Number(parameters.q ?? 1);
  return all.toSorted((a, b) => weight(b) - weight(a));
}

function notAcceptable(): StatusError {
  const message = "only the following media types are accepted: application/json, application/json;stream=watch";
  return new StatusError(406, "NotAcceptable", message);
}
