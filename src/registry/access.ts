/** Who somebody is, and what they may do. Pure decisions over certificates, tokens and requests. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { User } from "./api.ts";

/** A bearer token, known by its hash alone. */
export interface Token {
  /** SHA-256 of the token's text, in hex. */
  readonly sha256: string;
  readonly user: string;
  readonly groups: readonly string[];
}

/** What somebody wants to do. */
export type Intent =
  | {
      readonly on: "resource";
      readonly verb: string;
      readonly group: string;
      readonly plural: string;
      readonly subresource: string;
      readonly namespace: string;
      readonly name: string;
    }
  | { readonly on: "path"; readonly verb: string; readonly path: string };

/** Members may do everything. */
export const MASTERS = "system:masters";
/** Members may read everything but secrets, for who reads those may soon do more. */
export const READERS = "skerry:readers";

const READING = new Set(["get", "list", "watch"]);
const PUBLIC = new Set(["/healthz", "/livez", "/readyz", "/version"]);
/** Questions about oneself are everybody's. */
const SELF = new Set(["selfsubjectreviews", "selfsubjectaccessreviews"]);

/** True for paths that tell nothing and need no identity. **Source:** Kubernetes, role system:public-info-viewer. */
export function isPublic(path: string): boolean {
  return PUBLIC.has(path.replace(/^(\/(?:livez|readyz|healthz))\/.*$/, "$1"));
}

/** The user of a token. Every known hash is compared in constant time, so that time tells nothing about them. */
export function userOfToken(token: string, known: readonly Token[]): User | undefined {
  const hash = createHash("sha256").update(token).digest();
  let found: Token | undefined;
  for (const one of known) {
    const expected = Buffer.from(one.sha256, "hex");
    if (expected.length === hash.length && timingSafeEqual(expected, hash)) found = one;
  }
  return found && { name: found.user, groups: [...found.groups, "system:authenticated"] };
}

/** The user that the subject of a checked certificate names: CN, and each O as a group. */
export function userOfSubject(subject: { readonly CN?: unknown; readonly O?: unknown }): User | undefined {
  const { CN, O } = subject;
  if (typeof CN !== "string" || CN === "") return undefined;
  const groups = (Array.isArray(O) ? O : [O]).filter((one) => typeof one === "string" && one !== "");
  return { name: CN, groups: [...groups.map(String), "system:authenticated"] };
}

/** True when the user may do it. */
export function isAllowed({ groups }: User, intent: Intent): boolean {
  if (groups.includes(MASTERS)) return true;
  if (intent.on === "path") return intent.verb === "get";
  if (intent.verb === "create" && SELF.has(intent.plural)) return true;
  if (!groups.includes(READERS) || !READING.has(intent.verb)) return false;
  return !(intent.group === "" && intent.plural === "secrets");
}

/** Why the user may not, in the words of upstream. */
export function refusal({ name: user }: User, intent: Intent): string {
  if (intent.on === "path") return `User "${user}" cannot ${intent.verb} path "${intent.path}"`;
  const { verb, plural, subresource, group, namespace } = intent;
  const resource = subresource === "" ? plural : `${plural}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  return `User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`;
}
