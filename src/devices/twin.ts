import { z } from "#std/schema";
import { equal, type Quality, type Value } from "./value.ts";

/** What became of a wish. */
export const wishState = z.enum(["pending", "applied", "refused"]);
export type WishState = z.infer<typeof wishState>;

/** What somebody wants a property to be. Versions grow per side; versions of the two sides are never compared. */
export interface Wish {
  readonly value: Value;
  readonly by: "cloud" | "site";
  /** From the cloud the generation of the Device, from the site a counter of the node. */
  readonly version: number;
  /** When the node accepted it, in milliseconds since the epoch. */
  readonly at: number;
  readonly state: WishState;
  /** Fault code and message when it was refused. */
  readonly reason?: string;
  /** Writes that the device confirmed. */
  readonly attempts: number;
  /** True from a confirmed write until the next reading shows whether it took: it is not written again meanwhile. */
  readonly unread: boolean;
}

/** What a property last said. */
export interface Report {
  readonly value: Value | undefined;
  readonly at: number;
  readonly quality: Quality;
  /** Why the quality is not good. */
  readonly reason?: string;
}

/** The digital twin of one property: a plain value that is stored, sent and compared. */
export interface PropertyTwin {
  readonly reported?: Report;
  readonly desired?: Wish;
  /** The cloud's last wish that was heard, so that a repeated one changes nothing, whatever the site wished since. */
  readonly heard?: { readonly value: Value; readonly version: number };
}

const PENDING = { state: "pending", attempts: 0, unread: false } as const;

/** A device whose confirmed writes do not show is told the same thing this often, then the wish is refused. */
export const MOST_ATTEMPTS = 3;

/**
 * The twin after a wish of the cloud, which sends its whole wish again with every generation: only a value that
 * differs from what the cloud said last is a new wish. The side that says something new last, as the node hears it, wins.
 */
export function desireByCloud(twin: PropertyTwin, value: Value, version: number, at: number): PropertyTwin {
  const { heard } = twin;
  if (heard && (heard.version >= version || equal(heard.value, value))) {
    return heard.version >= version ? twin : { ...twin, heard: { value, version } };
  }
  const desired: Wish = { value, by: "cloud", version, at, ...PENDING };
  return { ...twin, desired, heard: { value, version } };
}

/** The twin after a wish of the site. */
export function desireBySite(twin: PropertyTwin, value: Value, version: number, at: number): PropertyTwin {
  return { ...twin, desired: { value, by: "site", version, at, ...PENDING } };
}

/** The twin after the cloud took its wish back: a wish of the cloud ends, one of the site stays. */
export function release(twin: PropertyTwin): PropertyTwin {
  const { heard: _, desired, ...rest } = twin;
  return desired?.by === "site" ? { ...rest, desired } : rest;
}

/** The twin after the node or the device said no: the wish stays visible, and is not repeated. */
export function refuse(twin: PropertyTwin, reason: string): PropertyTwin {
  return twin.desired ? { ...twin, desired: { ...twin.desired, state: "refused", reason } } : twin;
}

/** The twin after the device confirmed a write. Without a way to read it back, that is all there will be. */
export function written(twin: PropertyTwin, readable: boolean): PropertyTwin {
  const { desired } = twin;
  if (desired?.state !== "pending") return twin;
  const next: Wish = readable
    ? { ...desired, attempts: desired.attempts + 1, unread: true }
    : { ...desired, state: "applied" };
  return { ...twin, desired: next };
}

/** The wish that has to be written now, if there is one. */
export function due({ desired }: PropertyTwin): Wish | undefined {
  return desired?.state === "pending" && !desired.unread ? desired : undefined;
}

/** Whether two twins look the same to those who are told of wishes. */
export function looksLike({ desired: a }: PropertyTwin, { desired: b }: PropertyTwin): boolean {
  if (!a || !b) return a === b;
  return a.version === b.version && a.by === b.by && a.state === b.state && a.reason === b.reason;
}

/**
 * What a good reading means for the wish. Desired values are levels: one that the device left again becomes pending
 * and is written again; one that never shows after several confirmed writes is refused.
 *
 * @returns the same object when nothing changed.
 */
export function settle(twin: PropertyTwin, reported: Value, same: (a: Value, b: Value) => boolean): PropertyTwin {
  const { desired } = twin;
  if (!desired || desired.state === "refused") return twin;
  if (same(desired.value, reported)) {
    if (desired.state === "applied") return twin;
    return { ...twin, desired: { ...desired, state: "applied", attempts: 0, unread: false } };
  }
  if (desired.state === "applied") return { ...twin, desired: { ...desired, ...PENDING } };
  if (desired.attempts < MOST_ATTEMPTS)
    return desired.unread ? { ...twin, desired: { ...desired, unread: false } } : twin;
  const reason = `DEVICE_REFUSED: wrote ${JSON.stringify(desired.value)} ${desired.attempts} times, the device says ${JSON.stringify(reported)}`;
  return refuse(twin, reason);
}
