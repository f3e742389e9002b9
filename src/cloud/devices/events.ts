import { createHash } from "node:crypto";
import { deviceKind } from "#devices/crd";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { eventBody } from "#wire/messages";
import type { Kube } from "../kube/client.ts";
import { type ApiObject, eventKind } from "../kube/objects.ts";
import { isRefused } from "../kube/refusal.ts";
import type { OpenEvent, Reports } from "./reports.ts";

export interface EventPorts {
  readonly kube: Pick<Kube, "create">;
  readonly reports: Reports;
  readonly log: Log;
  readonly clock: Clock;
}

const BATCH = 100;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const LOOK_MS = 60_000;

/**
 * Tells the cluster what happened at the sites, each thing once: an event's name follows from where it comes from, so
 * one that was created just before a crash exists already when it is tried again.
 */
export async function serveEvents({ kube, reports, log, clock }: EventPorts, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const waiting = reports.readEvents(BATCH);
      for (const event of waiting) await tell(event);
      failures = 0;
      if (waiting.length < BATCH) await reports.events.wait(signal, LOOK_MS);
    } catch (error) {
      if (signal.aborted) return;
      if (failures === 0) log.warn("events can not be written, trying again", { error });
      await clock.sleep(Math.min(FIRST_WAIT_MS * 2 ** failures++, LONGEST_WAIT_MS), signal).catch(() => {});
    }
  }

  async function tell(event: OpenEvent): Promise<void> {
    const object = eventObject(event);
    if (!object) return drop(event, "is not an event");
    try {
      await kube.create(eventKind, object, signal);
    } catch (error) {
      if (Fault.is(error, "CLUSTER_UNREACHABLE") || signal.aborted) throw error;
      if (!isRefused(error, "AlreadyExists")) return drop(event, error);
    }
    await reports.closeEvent(event.id, { dropped: false });
  }

  async function drop({ id, node, device, seq }: OpenEvent, error: unknown): Promise<void> {
    log.warn("event dropped", { node, device, seq, error });
    await reports.closeEvent(id, { dropped: true });
  }
}

/** A row as a Kubernetes Event; undefined when its body is none. **Source:** Kubernetes API, core/v1 Event. */
export function eventObject({ node, epoch, seq, namespace, device, at, body }: OpenEvent): ApiObject | undefined {
  const { success, data } = eventBody.safeParse(json(body));
  if (!success) return undefined;
  const { type, reason, message, uid } = data;
  const hash = createHash("sha256")
    .update(JSON.stringify([node, epoch, seq]))
    .digest("hex")
    .slice(0, 16);
  const time = `${new Date(at).toISOString().slice(0, 19)}Z`;
  const { group, version, kind } = deviceKind;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${device.slice(0, 200)}.${hash}`, namespace },
    involvedObject: { apiVersion: `${group}/${version}`, kind, namespace, name: device, ...(uid ? { uid } : {}) },
    type,
    reason: reason.slice(0, 128),
    message: message.slice(0, 1024),
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    source: { component: "skerry", host: node },
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
