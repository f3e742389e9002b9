/** What every verb of the API works with. */
import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import type { Catalog } from "./catalog.ts";
import type { Store } from "./store.ts";

/** The open store and what is served from it. */
export interface Api {
  readonly store: Store;
  /** What is served at this moment. */
  readonly catalog: () => Catalog;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the registry closes. */
  readonly signal: AbortSignal;
}

/** Who asks. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** The present time as objects carry it: whole seconds. */
export function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
}
