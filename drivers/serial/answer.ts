/** What the frames of an answer mean for those who asked. */
import type { Reading } from "#devices/driver";
import { Fault } from "#std/fault";
import type { Body } from "./body.ts";
import { show } from "./bytes.ts";
import type { Dialect, Part } from "./plan.ts";

/** Takes the frames of the answer to a reading. */
export interface Answer {
  /** Takes a frame; true when every point has its reading. A newer answer after that replaces the older one. */
  take(frame: Buffer): boolean;
  /** Points without a reading yet. */
  readonly missing: readonly Part[];
  /** Whether any frame was opened. */
  readonly isBegun: boolean;
}

/** Awaits readings of the points; they are put into `readings`. @param now - milliseconds since the Unix epoch. */
export function awaitReadings(
  { open, station, isRefusal, isLast }: Dialect,
  parts: readonly Part[],
  readings: Reading[],
  now: () => number,
): Answer {
  const missing = new Set(parts);
  let isBegun = false;

  return {
    take(frame) {
      // Complete already, and yet another answer: the first was owed to an earlier request.
      if (missing.size === 0) for (const part of parts) missing.add(part);
      const at = now();
      let isOver = false;
      open(frame, (body) => {
        if (isOver) return;
        isBegun = true;
        isOver = takeBody(body, at);
      });
      return isOver || missing.size === 0;
    },
    get missing() {
      return [...missing];
    },
    get isBegun() {
      return isBegun;
    },
  };

  /** True when nothing else will come. */
  function takeBody(body: Body | Fault, at: number): boolean {
    // On a line where frames come by themselves, a broken one need not be the answer.
    if (body instanceof Fault) return !station.unsolicited && giveUp(body, at);
    if (isRefusal(body.text)) return giveUp(refusal(body.text), at);
    for (const part of missing) {
      if (!part.matches(body.text)) continue;
      readings[part.index] = part.read(body, at);
      missing.delete(part);
    }
    return isLast(body.text) && giveUp(absent(), at);
  }

  function giveUp(fault: Fault, at: number): true {
    for (const { index } of missing) readings[index] = { ok: false, fault, at };
    missing.clear();
    return true;
  }
}

/** Takes the frames of the answer to a write. */
export interface Confirmation {
  take(frame: Buffer): boolean;
  /** Why the write is not confirmed; undefined when it is. */
  readonly fault: Fault | undefined;
}

/** Awaits the answer to a write. */
export function awaitConfirmation(
  { open, station, isRefusal }: Dialect,
  property: string,
  isYes: (text: string) => boolean,
): Confirmation {
  let fault: Fault | undefined;

  return {
    take(frame) {
      let isOver = false;
      open(frame, (body) => {
        if (!isOver) isOver = takeBody(body);
      });
      return isOver;
    },
    get fault() {
      return fault;
    },
  };

  function takeBody(body: Body | Fault): boolean {
    fault = undefined;
    if (body instanceof Fault) fault = body;
    else if (isYes(body.text)) return true;
    else if (isRefusal(body.text)) {
      fault = refusal(body.text);
      return true;
    } else fault = new Fault("ANSWER_INVALID", `${property}: ${show(body.text)} does not confirm the write`);
    return !station.unsolicited;
  }
}

function refusal(text: string): Fault {
  return new Fault("DEVICE_REFUSED", `the device says ${show(text.trim())}`);
}

function absent(): Fault {
  return new Fault("DEVICE_REFUSED", "the device's answer has no such value");
}
