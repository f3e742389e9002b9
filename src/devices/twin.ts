import { z } from "#std/schema";
import { equal, type Quality, type Value } from "./value.ts";

/** What became of a wish. */
export const wishState = z.enum(["pending", "applied", "refused"]);
export type WishState = z.infer<typeof wishState>;

/** Who wins when cloud and site wished different things without knowing of each other: `conflict` of a property. */
export const conflictRule = z.enum(["cloud", "site", "newest", "manual"]);
export type ConflictRule = z.infer<typeof conflictRule>;

/** What somebody wants a property to be. Versions grow per side; versions of the two sides are never compared. */
export interface Wish {
  readonly value: Value;
  readonly by: "cloud" | "site";
  /** From the cloud the generation of the Device, from the site a counter of the node. */
  readonly version: number;
  /** When it was wished, in milliseconds since the epoch, by the clock of its side. */
  readonly at: number;
  /** When it ends by itself. */
  readonly until?: number;
  /** When its author in the cloud wished it, by his own clock. It is only compared with itself. */
  readonly askedAt?: number;
  readonly state: WishState;
  /** Fault code and message when it was refused. */
  readonly reason?: string;
  /** Writes that the device confirmed. */
  readonly attempts: number;
  /** True from a confirmed write until the next reading shows whether it took: it is not written again meanwhile. */
  readonly unread: boolean;
}

/** A wish as somebody brings it, before anything became of it. */
export type NewWish = Pick<Wish, "value" | "version" | "at" | "until" | "askedAt">;

/** Two wishes that did not know of each other: which one stands, and which one does not. */
export interface Conflict {
  readonly rule: ConflictRule;
  readonly at: number;
  readonly kept: Pick<Wish, "by" | "value">;
  readonly lost: Pick<Wish, "by" | "value">;
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
  readonly heard?: NewWish;
  /** The last conflict, until either side wishes something new. */
  readonly conflict?: Conflict;
}

const PENDING = { state: "pending", attempts: 0, unread: false } as const;

/** A device whose confirmed writes do not show is told the same thing this often, then the wish is refused. */
export const MOST_ATTEMPTS = 3;

/** What the node makes of a cloud wish. */
export interface Judgement {
  readonly rule: ConflictRule;
  /** The last version of the site's wishes that the cloud's author could see. */
  readonly seen: number;
}

/**
 * The twin after a wish of the cloud, which sends its whole wish again with every generation: only a value that
 * differs from what the cloud said last is a new wish, and one that was asked for again since. It replaces a wish of the site that its author could see; with
 * one that he could not see it is in conflict, and the rule decides. The node alone decides, so both sides end up with
 * the same whatever was lost, repeated or late.
 */
export function desireByCloud(twin: PropertyTwin, wish: NewWish, { rule, seen }: Judgement): PropertyTwin {
  const { heard, desired, conflict: _, ...rest } = twin;
  if (heard && heard.version >= wish.version) return twin;
  const isRenewed = wish.askedAt !== undefined && wish.askedAt !== heard?.askedAt;
  if (heard && !isRenewed && equal(heard.value, wish.value) && heard.until === wish.until)
    return { ...twin, heard: wish };
  const taken: PropertyTwin = { ...rest, heard: wish, desired: { ...wish, by: "cloud", ...PENDING } };
  if (desired?.by !== "site" || desired.version <= seen || equal(desired.value, wish.value)) return taken;
  const cloudWins = rule === "cloud" || (rule === "newest" && wish.at >= desired.at);
  const [cloud, site] = [
    { by: "cloud", value: wish.value },
    { by: "site", value: desired.value },
  ] as const;
  const conflict = { rule, at: wish.at, ...(cloudWins ? { kept: cloud, lost: site } : { kept: site, lost: cloud }) };
  return cloudWins ? { ...taken, conflict } : { ...rest, desired, heard: wish, conflict };
}

/** The twin after a wish of the site. */
export function desireBySite({ conflict: _, ...twin }: PropertyTwin, wish: NewWish): PropertyTwin {
  return { ...twin, desired: { ...wish, by: "site", ...PENDING } };
}

/** The twin after the cloud took its wish back: a wish of the cloud ends, one of the site stays. */
export function release({ heard: _, conflict: __, desired, ...rest }: PropertyTwin): PropertyTwin {
  return desired?.by === "site" ? { ...rest, desired } : rest;
}

/** The twin when its wish has ended: the site's gives way to what the cloud wished last, the cloud's to nothing. */
export function expire(twin: PropertyTwin, nowMs: number): PropertyTwin {
  const { desired, heard, ...rest } = twin;
  if (desired?.until === undefined || desired.until > nowMs) return twin;
  const kept = heard ? { ...rest, heard } : rest;
  if (desired.by === "cloud" || !heard || (heard.until !== undefined && heard.until <= nowMs)) return kept;
  return { ...kept, desired: { ...heard, by: "cloud", ...PENDING } };
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
export function looksLike(one: PropertyTwin, other: PropertyTwin): boolean {
  const { desired: a } = one;
  const { desired: b } = other;
  if (one.conflict !== other.conflict) return false;
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
