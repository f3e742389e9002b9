import { z } from "#std/schema";
import { conflictRule, wishState } from "./twin.ts";
import { at, quality, value } from "./value.ts";

const side = z.object({ by: z.enum(["cloud", "site"]), value });

/** How the link of a device fares. `waiting`: it is lost or was not to be had, and is tried again and again. */
export const linkReport = z.object({
  state: z.enum(["connecting", "up", "waiting"]),
  /** Since when it is so. */
  since: at,
  /** Attempts in a row that brought nothing. */
  failures: z.number().int().nonnegative(),
  /** Code and message of the last fault, while it waits. */
  reason: z.string().max(1024).optional(),
});
export type LinkReport = z.infer<typeof linkReport>;

const MOST_FACTS = 16;

/** Facts that a device says of itself, such as `{ vendor: "Acme", product: "PM 300", revision: "2.1" }`. */
export const identity = z
  .record(z.string().max(64), z.string().max(256))
  .refine((facts) => Object.keys(facts).length <= MOST_FACTS, `has at most ${MOST_FACTS} facts`);
export type Identity = z.infer<typeof identity>;

/**
 * What is passed on of what a device says of itself: printable texts, as many and as long as fit. Undefined when it says
 * nothing.
 */
export function identityOf(facts: Readonly<Record<string, string>>): Identity | undefined {
  const clean = (text: string, most: number) =>
    text
      .replaceAll(/[\p{C}\s]+/gu, " ")
      .trim()
      .slice(0, most);
  const all = Object.entries(facts).map(([name, text]) => [clean(name, 64), clean(text, 256)] as const);
  const some = all.filter(([name, text]) => name !== "" && text !== "").slice(0, MOST_FACTS);
  return some.length > 0 ? Object.fromEntries(some) : undefined;
}

/** What a node says about one device, whole, whenever it changed: a level, not an event. */
export const deviceReport = z.object({
  uid: z.string(),
  name: z.string(),
  namespace: z.string(),
  /** Generations of the Device and its model that the node runs. */
  generation: z.number().int(),
  modelGeneration: z.number().int(),
  /** True when the device answered its last visit. */
  online: z.boolean(),
  /** Why it is, or is not: `Answering`, `Starting`, or the code of a fault. */
  reason: z.string(),
  message: z.string(),
  protocol: z.string().optional(),
  lastSeen: at.optional(),
  link: linkReport.optional(),
  identity: identity.optional(),
  properties: z.array(
    z.object({
      name: z.string(),
      reported: value.optional(),
      at: at.optional(),
      quality: quality.optional(),
      reason: z.string().optional(),
      desired: value.optional(),
      by: z.enum(["cloud", "site"]).optional(),
      state: wishState.optional(),
      refusal: z.string().optional(),
      /** Version of the site's wish, by which the cloud says later whether it knew of it. */
      version: z.number().int().optional(),
      until: at.optional(),
      conflict: z.object({ rule: conflictRule, at, kept: side, lost: side }).optional(),
    }),
  ),
});
export type DeviceReport = z.infer<typeof deviceReport>;
export type PropertyReport = DeviceReport["properties"][number];
