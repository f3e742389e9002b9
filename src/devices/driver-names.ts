import { z } from "#std/schema";

/** `drivers` of a configuration: where drivers of others are, by protocol. */
export const driverNames = z
  .record(z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, "lower-case letters, digits and '-'"), z.string().min(1))
  .default({})
  .describe("Drivers of others by protocol: an npm package, or the path of a module. Each runs with all rights.");
