import type { PropertyTwin } from "#devices/twin";
import type { Value } from "#devices/value";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { Scope } from "#std/scope";
import { topics } from "#wire/topics";
import type { Broker } from "./broker/broker.ts";
import type { Twins } from "./twins.ts";

/** What became of a wish. Pending: it is on disk and will be written, but not yet. */
export interface Outcome {
  readonly state: "pending" | "applied" | "refused";
  readonly value: Value;
  readonly reason?: string;
}

/** A wish of the site. */
export interface Wished {
  readonly device: string;
  readonly property: string;
  readonly value: Value;
  /** After this time it ends by itself, and what the cloud wishes stands again. */
  readonly forMs?: number | undefined;
}

/** How long an answer waits for the device before it says `pending`. */
export const ANSWER_MS = 5_000;
/** How often a waiting answer looks at the twin. */
const LOOK_MS = 20;
/** Wishes of clients that may wait for an answer at once. */
const MOST_WAITING = 256;

/**
 * Takes a wish of the site and waits for what becomes of it. @param accepted - is called when it is on disk.
 * @throws {Fault} as `Twins.desire`.
 */
export async function wish(
  { twins, clock }: { readonly twins: Twins; readonly clock: Clock },
  { device, property, value, forMs }: Wished,
  signal: AbortSignal,
  accepted?: () => void,
): Promise<Outcome> {
  const version = await twins.desire(device, property, value, forMs === undefined ? undefined : clock.now() + forMs);
  accepted?.();
  const twin = twins.named(device);
  const until = clock.monotonic() + ANSWER_MS;
  for (;;) {
    const now = twin.properties[twin.indexOf.get(property) ?? -1]?.desired;
    // Somebody wished something else meanwhile: this wish is history and says so.
    if (now?.by !== "site" || now.version !== version)
      return { state: "refused", value, reason: "another wish came meanwhile" };
    if (now.state !== "pending" || clock.monotonic() >= until) return outcome(now);
    await clock.sleep(LOOK_MS, signal);
  }
}

function outcome({ state, value, reason }: NonNullable<PropertyTwin["desired"]>): Outcome {
  return reason === undefined ? { state, value } : { state, value, reason };
}

/** Serves `devices/+/desired/+/set` until the signal aborts: every wish gets one answer at `.../set/result`. */
export async function serveWishes(
  ports: { readonly twins: Twins; readonly clock: Clock; readonly broker: Broker },
  signal: AbortSignal,
): Promise<void> {
  const { broker } = ports;
  await using scope = new Scope(signal);
  for await (const message of broker.subscribe(topics.set, scope.signal)) {
    const { params, accept } = message;
    if (!message.ok) {
      accept();
      broker.publish(topics.setResult, params, { ok: false, fault: tell(message.fault) });
      continue;
    }
    const { id, value, forMs } = message.body;
    const named = id === undefined ? {} : { id };
    if (scope.waitingFor.length >= MOST_WAITING) {
      accept();
      const fault = tell(new Fault("OVERLOADED", `${MOST_WAITING} wishes wait for their devices already`));
      broker.publish(topics.setResult, params, { ...named, ok: false, fault });
      continue;
    }
    scope.run(`wish of ${params.device}`, async (signal) => {
      try {
        const { state, reason } = await wish(ports, { ...params, value, forMs }, signal, accept);
        const refused = state === "refused" ? { fault: tell(refusal(reason)) } : {};
        broker.publish(topics.setResult, params, { ...named, ok: state !== "refused", state, value, ...refused });
      } catch (error) {
        if (!Fault.is(error)) throw error;
        accept();
        broker.publish(topics.setResult, params, { ...named, ok: false, state: "refused", fault: tell(error) });
      }
    });
  }
  await scope.done();
}

function refusal(reason = "the device said no"): Fault {
  return new Fault("DEVICE_REFUSED", reason.replace(/^DEVICE_REFUSED: /, ""));
}

function tell({ code, message }: Fault): { code: string; message: string } {
  return { code, message };
}
