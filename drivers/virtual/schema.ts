/**
 * What a user writes about a virtual device. The tables in `README.md` are printed from the descriptions here.
 */
import { duration } from "#std/duration";
import { Fault } from "#std/fault";
import { z } from "#std/schema";
import { compile } from "./formula.ts";

/** A bus that exists in memory alone. */
export const link = z
  .strictObject({
    name: z.string().default("virtual").describe("Tells buses apart: links that are equal share one connection."),
    delay: duration().prefault("0ms").describe("How long the bus takes for each call, as a slow line would."),
    timeout: duration(1).prefault("1s").describe("Longest time one visit to a device on this link may take."),
  })
  .transform(({ delay, timeout, ...rest }) => ({ ...rest, delayMs: delay, timeoutMs: timeout }));

/** Which device on that bus. Two devices with the same station are one device, as on any bus. */
export const station = z.strictObject({
  seed: z.int().default(0).describe("Makes the noise of this device its own, and keeps its memory cells apart."),
});

const formula = z.strictObject({
  formula: z
    .string()
    .min(1)
    .max(500)
    .superRefine((source, context) => {
      try {
        compile(source);
      } catch (error) {
        if (!Fault.is(error)) throw error;
        context.addIssue({ code: "custom", message: error.message });
      }
    })
    .describe("What the property says now, such as `20 + 5 * sin(t / 60)`."),
});

const cell = z.strictObject({
  memory: z
    .union([z.number(), z.boolean(), z.string()])
    .describe("A cell that can be written; this is what it holds until then. It is forgotten with the connection."),
});

/** Where one property of a virtual device comes from: a formula of the time, or a cell of memory. */
export const address = z.union([formula, cell], { error: "give either a formula or a memory cell" });

export type VirtualLink = z.output<typeof link>;
export type VirtualStation = z.output<typeof station>;
export type VirtualAddress = z.output<typeof address>;
