/** Options of writes, from the query of a request. */
import type { FieldValidation } from "../admit.ts";
import { badRequest } from "../status.ts";

/** How a write is meant. */
export interface WriteOptions {
  /** Everything is done and nothing is kept. */
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** Takes what the client should be warned of. */
  readonly warnings: string[];
}

const MODES: readonly FieldValidation[] = ["Strict", "Warn", "Ignore"];

/**
 * **Source:** Kubernetes API concepts, "Dry-run" and "Field validation".
 * @throws {StatusError} 400 for values that are not known.
 */
export function writeOptions(query: URLSearchParams): WriteOptions {
  const asked = query.get("fieldValidation") || "Warn";
  const mode = MODES.find((one) => one === asked);
  if (!mode)
    throw badRequest(`fieldValidation: Unsupported value: "${asked}": supported values: "Ignore", "Strict", "Warn"`);
  return { dryRun: dryRun(query.getAll("dryRun")), fieldValidation: mode, warnings: [] };
}

/** True for `["All"]`. @throws {StatusError} 400 for anything that is neither that nor nothing. */
export function dryRun(values: readonly unknown[]): boolean {
  const asked = values.filter((value) => value !== "");
  const other = asked.find((value) => value !== "All");
  if (other !== undefined)
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(other)}: supported values: "All"`);
  return asked.length > 0;
}
