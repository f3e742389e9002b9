import type { AclRule } from "./config.ts";
import { covers, isReserved, matches } from "./filter.ts";

/** Who a client is, as it was proven; never what it says of itself alone. */
export type Identity =
  | { readonly is: "anonymous" }
  | { readonly is: "user"; readonly name: string }
  | { readonly is: "certificate"; readonly name: string };

/** What one identity may do. */
export interface Rights {
  mayPublish(topic: string): boolean;
  /** True when all that the filter could match is allowed. */
  maySubscribe(filter: string): boolean;
  /** True when a message of this topic may be handed over. */
  mayReceive(topic: string): boolean;
}

/** Without a table: who is on this machine may do what he likes, except to speak for the node. */
export const openOnLoopback: readonly AclRule[] = [{ anonymous: true, publish: ["#"], subscribe: ["#", "$SYS/#"] }];

/** The rights of an identity under a table. What no row allows is refused; an empty table refuses all. */
export function rightsOf(identity: Identity, rules: readonly AclRule[]): Rights {
  const mine = rules.filter((rule) => concerns(rule, identity));
  const publish = mine.flatMap((rule) => rule.publish.flatMap((filter) => resolve(filter, identity)));
  const subscribe = mine.flatMap((rule) => rule.subscribe.flatMap((filter) => resolve(filter, identity)));
  const all = subscribe.includes("#");
  return {
    mayPublish: (topic) => !isReserved(topic) && publish.some((filter) => matches(filter, topic)),
    maySubscribe: (filter) => subscribe.some((allowed) => covers(allowed, filter)),
    mayReceive: (topic) => (all && !topic.startsWith("$")) || subscribe.some((filter) => matches(filter, topic)),
  };
}

/** An identity as one word: the owner of a session. */
export function ownerOf(identity: Identity): string {
  return identity.is === "anonymous" ? "anonymous" : `${identity.is}:${identity.name}`;
}

/** The reverse of `ownerOf`. */
export function identityOf(owner: string): Identity {
  const [is = "", ...name] = owner.split(":");
  return is === "user" || is === "certificate" ? { is, name: name.join(":") } : { is: "anonymous" };
}

function concerns(rule: AclRule, identity: Identity): boolean {
  if (identity.is === "anonymous") return rule.anonymous === true;
  const named = rule[identity.is];
  return named === "*" || named === identity.name;
}

/**
 * Puts a name where its placeholder stands. A name with a wildcard or separator in it would widen the rule
 * (CVE-2017-7650), so such a rule allows nothing.
 */
function resolve(filter: string, identity: Identity): readonly string[] {
  if (!/\{(user|certificate)\}/.test(filter)) return [filter];
  if (identity.is === "anonymous" || identity.name === "" || /[+#/]/.test(identity.name)) return [];
  return [
    filter
      .split("/")
      .map((level) => (level === `{${identity.is}}` ? identity.name : level))
      .join("/"),
  ];
}
