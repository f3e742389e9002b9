import { createHash } from "node:crypto";
import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import type { Kube } from "./kube/client.ts";
import { type ApiObject, eventKind } from "./kube/objects.ts";

/** Something about a node that its operator must see. */
export interface Notice {
  readonly node: string;
  /** In CamelCase, as Kubernetes wants it. */
  readonly reason: string;
  readonly message: string;
}

export interface NoticePorts {
  readonly kube: Pick<Kube, "create">;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Tells the cluster, as an Event of the node. Whoever calls has logged and counted it: without a cluster that stays. */
export function tellNotice(notice: Notice, { kube, log, clock, signal }: NoticePorts): void {
  kube
    .create(eventKind, noticeObject(notice, clock.now()), signal)
    .catch((error: unknown) => log.debug("notice not written", { ...notice, error }));
}

/** A notice as a Kubernetes Event. Those of objects without a namespace are in `default`. **Source:** core/v1 Event. */
function noticeObject({ node, reason, message }: Notice, nowMs: number): ApiObject {
  const time = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const hash = createHash("sha256")
    .update(JSON.stringify([node, reason, message, nowMs]))
    .digest("hex")
    .slice(0, 16);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${node}.${hash}`, namespace: "default" },
    involvedObject: { apiVersion: "v1", kind: "Node", name: node },
    type: "Warning",
    reason,
    message: message.slice(0, 1024),
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    source: { component: "skerry" },
  };
}
