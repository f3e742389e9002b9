import { backoffMs } from "#std/backoff";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { dial } from "#wire/carrier";
import { converse, type SessionPorts } from "./session.ts";

/** Whether the cloud is there. Nothing else in the node asks. */
export interface UplinkState {
  readonly online: boolean;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string;
}

export interface UplinkPorts extends SessionPorts {
  readonly state: (state: UplinkState) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const RECONNECT = { firstMs: 250, longestMs: 30_000 };
/**
 * A machine that is there and refuses has lost its cloud for the moment; asking it costs next to nothing, and the
 * status is right soon after it is back. Whoever does not answer at all may be overloaded, and is asked less.
 */
const RECONNECT_REFUSED = { firstMs: 250, longestMs: 3_000 };
/** A connection that lasted this long was good: the next loss begins with the shortest wait again. */
const STABLE_MS = 10_000;

/** How long to wait before the cloud is dialled again, in milliseconds. Nodes that lost it together come back apart. */
export function reconnectMs(error: unknown, failures: number): number {
  const isRefused = error instanceof Error && /ECONNREFUSED/.test(error.message);
  return backoffMs(isRefused ? RECONNECT_REFUSED : RECONNECT, failures);
}

/** Keeps the one outbound connection to the cloud until the signal aborts. */
export async function serveUplink(ports: UplinkPorts, signal: AbortSignal): Promise<void> {
  const { state, renewal, clock, log } = ports;
  const { tunnel: url } = renewal.identity;
  let failures = 0;
  /** Why the cloud is not there, as it was told last, and since when. */
  let told: { readonly code: string; readonly since: number } | undefined;
  state({ online: false, since: clock.now(), reason: "connecting" });
  while (!signal.aborted) {
    const began = clock.monotonic();
    let wasUp = false;
    let failure: unknown;
    try {
      const carrier = await dial(url, renewal.identity, signal);
      await converse(carrier, ports, signal, () => {
        wasUp = true;
        log.info("uplink up", { url });
        state({ online: true, since: clock.now(), reason: "connected" });
      });
    } catch (error) {
      if (signal.aborted) break;
      failure = error;
      // A bug in one session costs that session; the site goes on and the next one begins afresh.
      if (!Fault.is(error)) log.error("uplink broke", { url, error });
      const reason = error instanceof Error ? error.message : String(error);
      const { code, hint } = Fault.is(error) ? error : { code: "", hint: "" };
      if (wasUp || code !== told?.code) {
        told = { code, since: wasUp ? clock.now() : (told?.since ?? clock.now()) };
        log.warn("uplink lost", { url, code, reason, hint });
        state({ online: false, since: told.since, reason });
      }
    }
    if (wasUp && clock.monotonic() - began >= STABLE_MS) failures = 0;
    await clock.sleep(reconnectMs(failure, failures++), signal).catch(() => undefined);
  }
  state({ online: false, since: clock.now(), reason: "node stops" });
}
