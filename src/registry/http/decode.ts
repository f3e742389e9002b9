/** Bodies of requests as values. */
import { Fault } from "#std/fault";
import { parseYaml } from "#std/yaml";
import type { Decoded } from "../admit.ts";
import { decodeProtobuf } from "../protobuf.ts";
import { duplicateKeys } from "../schema/duplicates.ts";
import { badRequest, unsupportedMedia } from "../status.ts";
import { mediaType } from "./negotiate.ts";

/** Deeper values are an attack, not an object. */
const DEEPEST = 200;

/** @throws {StatusError} 400 when the body is not what it says it is, 415 when it is of a type not known here. */
export function decodeBody(bytes: Buffer, contentType: string | undefined): Decoded {
  const type = mediaType(contentType);
  if (type === "" || type === "application/json" || type.endsWith("+json") || type === "*/*")
    return decodeJson(bytes.toString());
  if (type === "application/yaml" || type === "application/apply-patch+yaml") return decodeYaml(bytes.toString());
  if (type === "application/vnd.kubernetes.protobuf") return { value: decodeProtobuf(bytes), duplicates: [] };
  throw unsupportedMedia(
    `the body of the request was in an unknown format (${type}) - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
  );
}

function decodeJson(text: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`couldn't parse the body as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  checkDepth(value);
  return { value, duplicates: duplicateKeys(text) };
}

function decodeYaml(text: string): Decoded {
  try {
    const value = parseYaml(text, "the body");
    checkDepth(value);
    return { value, duplicates: [] };
  } catch (error) {
    if (Fault.is(error)) throw badRequest(error.message);
    throw error;
  }
}

/** Level by level and not by recursion, which a hostile body could exhaust. */
function checkDepth(root: unknown): void {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) throw badRequest(`the body is nested deeper than ${DEEPEST} levels`);
    const next: unknown[] = [];
    for (const value of level)
      if (typeof value === "object" && value !== null)
        for (const child of Object.values(value)) if (typeof child === "object" && child !== null) next.push(child);
    level = next;
  }
}
