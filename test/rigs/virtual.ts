import { virtual } from "#drivers/virtual/index";
import type { Clock } from "#std/clock";
import type { Rig } from "../contract/driver.ts";

/** A virtual bus whose time stands still until the test moves it. */
export async function virtualRig(): Promise<Rig> {
  let nowMs = 1_000_000;
  let muted = false;
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    async sleep(_ms, signal) {
      if (!muted) return;
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("AbortError"))));
    },
  };
  return {
    driver: virtual(clock),
    link: { delay: "5ms" },
    stations: [{ seed: 1 }, { seed: 2 }],
    addresses: {
      moving: { formula: "2 * t" },
      first: { memory: 0 },
      second: { memory: 0 },
      refused: { formula: "1 / 0" },
    },
    change() {
      nowMs += 1000;
      return (2 * nowMs) / 1000;
    },
    mute(silent) {
      muted = silent;
    },
    async [Symbol.asyncDispose]() {},
  };
}
