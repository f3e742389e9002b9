import { z } from "./schema.ts";

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** The longest wait of a Node timer, 24.8 days; beyond it a timer would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * A schema for lengths of time as people write them: `"250ms"`, `"1.5s"`, `"5m"`, `"2h"`, `"1d"`. It yields
 * milliseconds. A bare number is refused, because nobody can see its unit.
 * @param mostMs - more than the longest timer only where nobody waits that long.
 */
export function duration(leastMs = 0, mostMs = LONGEST_MS) {
  return z
    .string()
    .regex(pattern, 'give a number and a unit, such as "250ms", "1s" or "5m"')
    .transform((text, context) => {
      const ms = milliseconds(text);
      if (ms >= leastMs && ms <= mostMs) return ms;
      context.addIssue({
        code: "custom",
        message: `give a time from ${leastMs} ms to ${mostMs} ms (${days(mostMs)} days)`,
      });
      return z.NEVER;
    });
}

function days(ms: number): number {
  return Math.floor(ms / 8_640_000) / 10;
}

function milliseconds(text: string): number {
  const [, amount = "", unit = "ms"] = pattern.exec(text) ?? [];
  return Number(amount) * unitsMs[unit as keyof typeof unitsMs];
}
