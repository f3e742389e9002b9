/** The built-in resources, in the order in which short names are resolved. */
import type { Resource } from "../resource.ts";
import { configMaps, namespaces, secrets, serviceAccounts } from "./core.ts";
import { definitions } from "./definitions.ts";
import { events, eventsV1 } from "./events.ts";
import { leases } from "./leases.ts";
import { selfSubjectAccessReviews, selfSubjectReviews } from "./reviews.ts";

/** Every resource that is served without a definition. */
export const builtins: readonly Resource[] = [
  configMaps,
  events,
  namespaces,
  secrets,
  serviceAccounts,
  definitions,
  selfSubjectReviews,
  selfSubjectAccessReviews,
  leases,
  eventsV1,
];
