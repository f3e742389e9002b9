import type { Conflict } from "#devices/twin";
import type { Clock } from "#std/clock";
import { isDiskFault } from "#std/disk-fault";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { EventBody } from "#wire/messages";
import { topics } from "#wire/topics";
import type { Broker } from "./broker/broker.ts";
import type { DeviceTwin, Watcher } from "./device-twin.ts";
import type { Taken, Visit } from "./devices/visit.ts";
import type { Gaps } from "./gaps.ts";
import type { NewRow, Outbox } from "./outbox.ts";
import type { Twins } from "./twins.ts";

/** What the site says to its applications and puts aside for the cloud when something happens to a twin. */
export interface Site extends Watcher {
  visited(visit: Visit, taken: Taken): void;
  /** Puts aside who told a device what, and how it ended. */
  audit(twin: DeviceTwin, message: string, ok: boolean): void;
  /** Values that were read since the start. */
  readonly values: number;
}

export interface SitePorts {
  readonly broker: Broker;
  readonly outbox: Outbox;
  readonly gaps: Gaps;
  /** The twins are made with the site as their watcher, so they come later. */
  readonly twins: () => Twins;
  /** Tells the bus of this link that there is a wish to write. */
  readonly hasten: (linkKey: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Topics of a device, put together once. */
interface Names {
  readonly telemetry: string;
  readonly reported: readonly string[];
}

export function createSite({ broker, outbox, gaps, twins, hasten, clock, log }: SitePorts): Site {
  const names = new WeakMap<object, Names>();
  const online = new WeakMap<DeviceTwin, boolean>();
  const told = new WeakSet<Conflict>();
  let values = 0;

  function namesOf(twin: DeviceTwin): Names {
    const key = twin.device ?? twin;
    const known = names.get(key);
    if (known) return known;
    const device = twin.declared.name;
    const made: Names = {
      telemetry: topics.telemetry.at({ device }),
      reported: (twin.device?.properties ?? []).map(({ name }) => topics.reported.at({ device, property: name })),
    };
    names.set(key, made);
    return made;
  }

  function reported(twin: DeviceTwin, index: number): void {
    const report = twin.properties[index]?.reported;
    const topic = namesOf(twin).reported[index];
    if (report && topic) broker.publishText(topic, topics.reported.encode(report), true);
  }

  function append(twin: DeviceTwin, row: Pick<NewRow, "kind" | "at" | "body" | "layout">, also?: () => void): void {
    const { name: device, namespace } = twin.declared;
    outbox.append({ device, namespace, ...row }, also).catch((error: unknown) => {
      const isTelemetry = row.kind === "telemetry";
      // The database says that its disk takes nothing, and the ledger how much that cost: not a line for each.
      if (!isTelemetry || !isDiskFault(error))
        log.error("row lost, it could not be saved", { device, kind: row.kind, error });
      if (isTelemetry) gaps.lost(twin, row.at, Fault.is(error, "DISK_FULL") ? "disk full" : "disk failed");
    });
  }

  function event(twin: DeviceTwin, body: Omit<EventBody, "uid">): void {
    append(twin, { kind: "event", at: clock.now(), body: JSON.stringify({ ...body, uid: twin.declared.uid }) });
  }

  /** Publishes a wish as it stands; false when there is none any more. */
  function publishWish(twin: DeviceTwin, index: number): boolean {
    const property = twin.device?.properties[index]?.name ?? "";
    const params = { device: twin.declared.name, property };
    const wish = twin.properties[index]?.desired;
    if (!wish) {
      broker.clear(topics.desired, params);
      return false;
    }
    const { value, by, at, state, reason } = wish;
    broker.publish(topics.desired, params, { value, by, at, state, ...(reason === undefined ? {} : { reason }) });
    return true;
  }

  return {
    get values() {
      return values;
    },

    visited({ twin, indexes, layout }, { telemetry, packed, at, changed, lostSince }) {
      values += indexes.length;
      broker.publishText(namesOf(twin).telemetry, telemetry, false);
      for (const index of changed) reported(twin, index);
      gaps.answered(twin, at);
      if (lostSince !== undefined) gaps.dropped(twin, lostSince, at);
      const keep = twin.device?.keep;
      if (keep === "every") append(twin, { kind: "telemetry", at, body: packed, layout }, () => twins().saveSeq(twin));
      if (changed.length > 0 && keep !== "off") twins().changed(twin);
    },

    reported,

    audit(twin, message, ok) {
      event(twin, { type: ok ? "Normal" : "Warning", reason: "Command", message });
    },

    desired(twin, index) {
      const wish = twin.properties[index]?.desired;
      const conflict = twin.properties[index]?.conflict;
      if (conflict && !told.has(conflict)) {
        told.add(conflict);
        event(twin, { type: "Warning", reason: "Conflict", message: conflictText(twin, index, conflict) });
      }
      if (!publishWish(twin, index) || !wish) return;
      if (wish.state === "pending" && twin.device) hasten(twin.device.linkKey);
      const what = `${twin.device?.properties[index]?.name} = ${JSON.stringify(wish.value)}, wished by the ${wish.by}`;
      if (wish.state === "applied") event(twin, { type: "Normal", reason: "Applied", message: what });
      if (wish.state === "refused")
        event(twin, { type: "Warning", reason: "Refused", message: `${what}: ${wish.reason}` });
    },

    known(twin) {
      gaps.known(twin);
      for (const [index, { reported: report, desired }] of twin.properties.entries()) {
        if (report) reported(twin, index);
        if (desired) publishWish(twin, index);
      }
    },

    left({ declared }, property) {
      broker.clear(topics.reported, { device: declared.name, property });
      broker.clear(topics.desired, { device: declared.name, property });
    },

    health(twin) {
      const { health, lastSeen, declared } = twin;
      const age = lastSeen === undefined ? {} : { lastSeen, ageMs: Math.max(0, clock.now() - lastSeen) };
      broker.publish(topics.status, { device: declared.name }, { ...health, ...age });
      if (!health.online && health.reason !== "Starting") gaps.silent(twin);
      if (health.reason === "Starting" || online.get(twin) === health.online) return;
      online.set(twin, health.online);
      const type = health.online ? "Normal" : "Warning";
      event(twin, { type, reason: health.online ? "Answering" : health.reason, message: health.message });
    },

    gone(twin) {
      gaps.forget(twin);
      broker.clear(topics.status, { device: twin.declared.name });
      for (const property of twin.indexOf.keys()) this.left(twin, property);
    },
  };
}

function conflictText(twin: DeviceTwin, index: number, { rule, kept, lost }: Conflict): string {
  const name = twin.device?.properties[index]?.name;
  const [won, gone] = [JSON.stringify(kept.value), JSON.stringify(lost.value)];
  return `${name}: ${won} of the ${kept.by} stands, ${gone} of the ${lost.by} does not, by the rule ${rule}`;
}
