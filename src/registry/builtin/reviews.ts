/** Questions that a client asks about itself. They are answered and never stored. */
import type { Resource } from "../resource.ts";
import { builtin, fields, string } from "./kind.ts";

const question = { namespaced: false, verbs: ["create"] } as const;

/** Who am I? **Source:** Kubernetes API reference 1.32, authentication.k8s.io/v1. */
export const selfSubjectReviews: Resource = builtin(
  {
    ...question,
    group: "authentication.k8s.io",
    version: "v1",
    kind: "SelfSubjectReview",
    plural: "selfsubjectreviews",
  },
  {
    description: "SelfSubjectReview contains the user information that the server has about the client.",
    properties: {
      status: { type: "object", description: "Filled in by the server.", "x-kubernetes-preserve-unknown-fields": true },
    },
  },
);

/** May I? **Source:** Kubernetes API reference 1.32, authorization.k8s.io/v1. */
export const selfSubjectAccessReviews: Resource = builtin(
  {
    ...question,
    group: "authorization.k8s.io",
    version: "v1",
    kind: "SelfSubjectAccessReview",
    plural: "selfsubjectaccessreviews",
  },
  {
    description: "SelfSubjectAccessReview checks whether the client may do something.",
    required: ["spec"],
    properties: {
      spec: fields("What the client wants to do.", {
        resourceAttributes: fields("For a resource.", {
          namespace: string("Empty for all."),
          verb: string("Such as get."),
          group: string("API group."),
          version: string("API version."),
          resource: string("Plural name."),
          subresource: string("Such as status."),
          name: string("Empty for all."),
        }),
        nonResourceAttributes: fields("For another path.", { path: string("URL path."), verb: string("HTTP verb.") }),
      }),
      status: { type: "object", description: "Filled in by the server.", "x-kubernetes-preserve-unknown-fields": true },
    },
  },
);
