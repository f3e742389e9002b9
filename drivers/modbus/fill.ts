import type { Reading } from "#devices/driver";
import { Fault } from "#std/fault";
import type { Span } from "./plan.ts";

/** Made once: a device may say it hundreds of times, ten times a second. */
const nan = new Fault("DEVICE_REFUSED", "the device has no value: it says NaN");

/** Turns the answer to a span into readings. The hot path: a thousand values ten times a second and device pass here. */
export function fill(readings: Reading[], { parts }: Span, answer: DataView | Fault, at: number): void {
  for (const { index, decode, offset } of parts) {
    if (answer instanceof Fault) readings[index] = { ok: false, fault: answer, at };
    else {
      try {
        const raw = decode(answer, offset);
        if (typeof raw === "object") readings[index] = { ok: false, fault: raw, at };
        else if (Number.isNaN(raw)) readings[index] = { ok: false, fault: nan, at };
        else readings[index] = { ok: true, raw, at };
      } catch (error) {
        if (!Fault.is(error)) throw error;
        readings[index] = { ok: false, fault: error, at };
      }
    }
  }
}
