import { z } from "#std/schema";
import { conflictRule, wishState } from "./twin.ts";
import { at, quality, value } from "./value.ts";

const side = z.object({ by: z.enum(["cloud", "site"]), value });

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
