import { encode, same } from "#devices/codec";
import { due, type PropertyTwin, refuse, settle, type Wish, written } from "#devices/twin";
import { Fault } from "#std/fault";
import type { DeviceTwin } from "../device-twin.ts";
import type { Requests } from "./requests.ts";

/** One property that may have a wish to write. */
export interface Target {
  readonly twin: DeviceTwin;
  readonly index: number;
  /** Whether the device pushes the property: it does not push again what it says already. */
  readonly isPushed: boolean;
}

/** What became of telling a device a wish. */
export type Told =
  /**
   * It was confirmed or refused: this is the twin of the property now, when the wish still stands. Only what the device
   * itself said was `heard`; a value that does not fit never gets there.
   */
  | { readonly is: "answered"; readonly next: PropertyTwin | undefined; readonly heard: boolean }
  /** Nobody answered, or not in a way that can be believed: it is told again. */
  | { readonly is: "silent"; readonly fault: Fault }
  /** There was nothing to tell. */
  | { readonly is: "done" };

/**
 * Tells a device what is wished of one property, if anything is.
 * @throws {Fault} `LINK_LOST`, and whatever a driver throws that breaks its contract.
 */
export async function writeWish(target: Target, requests: Requests, signal: AbortSignal): Promise<Told> {
  const { twin, index } = target;
  const { device } = twin;
  const [property, point] = [device?.properties[index], device?.points[index]];
  const wish = due(twin.properties[index] ?? {});
  if (!device || !property || !point || !wish) return { is: "done" };
  try {
    await requests.write(device, point, encode(property, wish.value), signal);
    return { is: "answered", next: standing(target, wish, (now) => confirmed(target, now)), heard: true };
  } catch (error) {
    if (!Fault.is(error) || error.code === "LINK_LOST") throw error;
    if (error.retry) return { is: "silent", fault: error };
    const next = standing(target, wish, (now) => refuse(now, `${error.code}: ${error.message}`));
    return { is: "answered", next, heard: error.code === "DEVICE_REFUSED" };
  }
}

/** Somebody may have wished something else while this was told: then the answer is about history. */
function standing({ twin, index }: Target, wish: Wish, next: (now: PropertyTwin) => PropertyTwin) {
  const now = twin.properties[index] ?? {};
  return now.desired === wish ? next(now) : undefined;
}

function confirmed({ twin, index, isPushed }: Target, now: PropertyTwin): PropertyTwin {
  const property = twin.device?.properties[index];
  const next = written(now, property?.access !== "write");
  const { value, quality } = now.reported ?? {};
  if (!isPushed || !property || !now.desired || value === undefined || quality !== "good") return next;
  return same(property, now.desired.value, value) ? settle(next, value, (a, b) => same(property, a, b)) : next;
}
