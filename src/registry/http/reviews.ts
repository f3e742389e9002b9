/** Answers questions of a client about itself. */
import { type Intent, isAllowed } from "../access.ts";
import type { User } from "../api.ts";
import { selfSubjectAccessReviews, selfSubjectReviews } from "../builtin/reviews.ts";
import { isObject, type JsonObject, object, text } from "../json.ts";
import { apiVersionOf, type Resource } from "../resource.ts";
import { badRequest } from "../status.ts";

/** The answer; undefined when the resource is no question. @throws {StatusError} 400. */
export function review(resource: Resource, body: unknown, user: User): JsonObject | undefined {
  const head = { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata: { creationTimestamp: null } };
  if (resource.key === selfSubjectReviews.key)
    return { ...head, status: { userInfo: { username: user.name, groups: user.groups } } };
  if (resource.key !== selfSubjectAccessReviews.key) return undefined;
  const spec = object(object(body).spec);
  const intent = intentOf(spec);
  if (!intent) throw badRequest("spec must have resourceAttributes or nonResourceAttributes");
  const allowed = isAllowed(user, intent);
  return { ...head, spec, status: { allowed, ...(allowed ? {} : { reason: "no rule allows it" }) } };
}

function intentOf({ resourceAttributes, nonResourceAttributes }: JsonObject): Intent | undefined {
  if (isObject(resourceAttributes)) {
    const { verb, group, resource, subresource, namespace, name } = resourceAttributes;
    return {
      on: "resource",
      verb: text(verb),
      group: text(group),
      plural: text(resource),
      subresource: text(subresource),
      namespace: text(namespace),
      name: text(name),
    };
  }
  if (!isObject(nonResourceAttributes)) return undefined;
  return { on: "path", verb: text(nonResourceAttributes.verb), path: text(nonResourceAttributes.path) };
}
