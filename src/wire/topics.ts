import { wishState } from "#devices/twin";
import { at, quality, value } from "#devices/value";
import { z } from "#std/schema";
import { topic } from "./topic.ts";

const fault = z.object({ code: z.string(), message: z.string() });
const id = z.string().max(128);

/** Every topic on the site's broker that Skerry itself speaks. `docs/topics.md` is printed from this table. */
export const topics = {
  reported: topic({
    pattern: "devices/{device}/reported/{property}",
    summary: "The last value of a property; sent on change (dead band, heartbeat).",
    body: z.object({ value: value.optional(), at, quality, reason: z.string().optional() }),
    retain: true,
  }),
  telemetry: topic({
    pattern: "devices/{device}/telemetry",
    summary: "All values of one visit, when the answer arrives. `seq` grows by one per device and message.",
    body: z.object({
      at,
      seq: z.number().int(),
      values: z.record(z.string(), value),
      bad: z.record(z.string(), z.string()).optional(),
    }),
  }),
  desired: topic({
    pattern: "devices/{device}/desired/{property}",
    summary: "What a property should be, who wished it, and what became of it.",
    body: z.object({ value, by: z.enum(["cloud", "site"]), at, state: wishState, reason: z.string().optional() }),
    retain: true,
  }),
  set: topic({
    pattern: "devices/{device}/desired/{property}/set",
    qos: 1,
    summary: "A local application's wish; with `forMs` it ends by itself after that time.",
    body: z.strictObject({ value, id: id.optional(), forMs: z.number().int().min(1).max(31_536_000_000).optional() }),
  }),
  setResult: topic({
    pattern: "devices/{device}/desired/{property}/set/result",
    summary: "What became of the wish with the same id: applied, refused, or still pending after the answer's time.",
    body: z.object({
      id: id.optional(),
      ok: z.boolean(),
      state: wishState.optional(),
      value: value.optional(),
      fault: fault.optional(),
    }),
  }),
  command: topic({
    pattern: "devices/{device}/commands/{command}",
    qos: 1,
    summary: "Tells a device to do something, once per id, within the deadline.",
    body: z.strictObject({
      id: id.min(1),
      args: z.array(value).max(64).optional(),
      deadlineMs: z.number().int().min(1).max(3_600_000).optional(),
    }),
  }),
  commandResult: topic({
    pattern: "devices/{device}/commands/{command}/result",
    summary: "The outcome of the command with the same id; repeated when the same id is asked again.",
    body: z.object({ id: id.optional(), ok: z.boolean(), value: value.optional(), fault: fault.optional() }),
  }),
  status: topic({
    pattern: "devices/{device}/status",
    summary: "Whether a device answers.",
    body: z.object({
      online: z.boolean(),
      reason: z.string(),
      message: z.string().optional(),
      lastSeen: at.optional(),
      ageMs: z.number().optional(),
    }),
    retain: true,
  }),
  nodeStatus: topic({
    pattern: "node/status",
    summary: "The node itself: name, version, start, counts of devices.",
    body: z.object({
      node: z.string(),
      version: z.string(),
      online: z.boolean(),
      startedAt: at,
      devices: z.number().int(),
      devicesOnline: z.number().int(),
    }),
    retain: true,
  }),
  nodeUplink: topic({
    pattern: "node/uplink",
    summary: "The connection to the cloud.",
    body: z.object({ online: z.boolean(), since: at, reason: z.string(), backlog: z.number().int() }),
    retain: true,
  }),
};
