/** What nodes say, given to those whom it concerns. */
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { Controller } from "./devices/controller.ts";
import type { Ownership } from "./devices/ownership.ts";
import type { Reports } from "./devices/reports.ts";
import type { Authority } from "./join/authority.ts";
import type { Nodes } from "./nodes.ts";
import type { Unheard } from "./telemetry/unheard.ts";
import { goesOn } from "./tunnel/lineage.ts";
import type { TunnelEvent } from "./tunnel/server.ts";
import type { Hello } from "./tunnel/session.ts";

/** Certificates of a node follow each other no faster than this. */
const RENEW_MS = 1_000;

/** Those whom it concerns. */
export interface Takers {
  readonly authority: Authority;
  readonly controller: Controller;
  readonly ownership: Ownership;
  readonly reports: Reports;
  readonly unheard: Unheard;
  readonly nodes: Nodes;
  readonly log: Log;
  readonly clock: Clock;
}

/**
 * Takes a process for the node, unless its data is a copy of what another one went on with.
 * @throws {Fault} `NODE_DUPLICATE`.
 */
export async function enter(node: string, hello: Hello, nodes: Nodes): Promise<void> {
  const { epoch, runs } = hello;
  if (!(await nodes.enter(node, { epoch, run: runs.at(-1) ?? "" }, (last) => goesOn(last, hello))))
    throw new Fault("NODE_DUPLICATE", `its data is a copy, older than what ${node} said last`, { node });
}

/** Gives what happens at the tunnel to those whom it concerns. */
export async function take(event: TunnelEvent, takers: Takers): Promise<void> {
  const { controller, ownership, reports, unheard, nodes, clock } = takers;
  const { node } = event;
  if (event.on !== "message") {
    if (event.on === "connected") controller.connected(node, event.session);
    else controller.disconnected(node);
    return nodes.seen(node, clock.now());
  }
  const { message, session } = event;
  const { epoch } = session.hello;
  switch (message.kind) {
    case "grants":
      return ownership.show(session, message.grants);
    case "rows": {
      if (unheard.has(session)) return;
      const own = ownership.own(session, message.rows);
      try {
        const ranges = await reports.take(node, epoch, message.rows, clock.now(), message.layouts, own);
        session.send({ kind: "taken", ranges: [...ranges] });
      } catch (error) {
        if (!Fault.is(error, "TELEMETRY_UNREACHABLE")) throw error;
        return unheard.add(session);
      }
      for (const row of own) if (row.kind === "gap") controller.touch(row);
      return;
    }
    case "missing": {
      const lost = ownership.own(session, message.lost ?? []);
      await reports.miss(node, epoch, { ...message, lost }, clock.now());
      session.send({ kind: "taken", ranges: message.ranges });
      for (const device of lost) controller.touch(device);
      return;
    }
    case "report": {
      const { namespace, name: device } = message.report;
      // One that comes before the cluster is known waits for it.
      if (ownership.may(session, { namespace, device }) !== false) controller.reported(node, message.report);
      return;
    }
    case "renew": {
      const certificate = await renew(node, message.request, takers);
      if (certificate !== undefined) session.send({ kind: "certificate", certificate });
      return;
    }
    case "stored":
      return;
  }
}

/** A connection is proof enough for the next certificate of the same name. */
async function renew(
  node: string,
  request: string,
  { authority, nodes, log, clock }: Takers,
): Promise<string | undefined> {
  const ageMs = clock.now() - (nodes.get(node)?.joinedAt ?? 0);
  // A clock that was set back makes it younger than nothing.
  if (ageMs >= 0 && ageMs < RENEW_MS) {
    log.warn("renewal ignored, the certificate is new", { node });
    return undefined;
  }
  const certificate = await authority.certify(node, request);
  if (!nodes.renewed(node, clock.now())) return undefined;
  log.info("node certificate renewed", { node });
  return certificate;
}
