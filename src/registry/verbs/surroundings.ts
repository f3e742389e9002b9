/** What rules may see of the other objects. */
import type { Surroundings } from "../builtin/rules.ts";
import { DEFINITIONS_KEY } from "../definition.ts";
import { object } from "../json.ts";
import type { KubeObject } from "../resource.ts";
import type { Store } from "../store.ts";

/** More definitions than any cluster has: upstream degrades beyond some hundreds. */
const MOST_DEFINITIONS = 10_000;

/** Every definition that is stored. */
export function allDefinitions(store: Store): readonly KubeObject[] {
  return store
    .page(DEFINITIONS_KEY, undefined, undefined, MOST_DEFINITIONS)
    .map(({ doc }) => JSON.parse(doc) as KubeObject);
}

/** The surroundings of a write that happens now. */
export function surroundings(store: Store, now: string): Surroundings {
  return {
    now,
    siblings: ({ metadata, spec }) =>
      allDefinitions(store).filter(
        (other) => other.metadata.name !== metadata.name && object(other.spec).group === object(spec).group,
      ),
  };
}
