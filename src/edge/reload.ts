import { isDeepStrictEqual } from "node:util";
import type { EdgeConfig } from "./config.ts";

/** What became of a configuration that was read again, as names of fields such as `mqtt.users`. */
export interface Reloaded {
  /** Fields that differ and are in force now. */
  readonly applied: readonly string[];
  /** Fields that differ and need a restart. */
  readonly restart: readonly string[];
}

/** What a node takes while it runs; certificates are read again in any case. */
const LIVE: ReadonlySet<string> = new Set(["mqtt.users", "mqtt.acl", "mqtt.limits"]);

/** Compares the configuration that a node runs with and the one that it should. */
export function compare(running: EdgeConfig, next: EdgeConfig): Reloaded {
  const [before, after] = [fieldsOf(running), fieldsOf(next)];
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changed = names.filter((name) => !isDeepStrictEqual(before.get(name), after.get(name)));
  return {
    applied: changed.filter((name) => LIVE.has(name)),
    restart: changed.filter((name) => !LIVE.has(name)),
  };
}

/** The running configuration with what is taken of the next one. */
export function merge(running: EdgeConfig, { mqtt }: EdgeConfig): EdgeConfig {
  const { users, acl, limits } = mqtt;
  return { ...running, mqtt: { ...running.mqtt, users, acl, limits } };
}

function fieldsOf({ mqtt, ...rest }: EdgeConfig): ReadonlyMap<string, unknown> {
  // The files of a listener may be others; whether it asks for certificates may not.
  const listeners = mqtt.listeners.map(({ tls, ...listener }) => ({
    ...listener,
    tls: tls && { hasAuthority: tls.authority !== undefined },
  }));
  return new Map<string, unknown>([
    ...Object.entries(rest),
    ...Object.entries({ ...mqtt, listeners }).map(([name, value]) => [`mqtt.${name}`, value] as const),
  ]);
}
