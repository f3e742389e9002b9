import { duration } from "./duration.ts";
import { z } from "./schema.ts";

/**
 * A schema for points in time as people write them: how long ago (`"90s"`, `"1h"`, `"7d"`), a date or time of ISO 8601,
 * or milliseconds since the epoch. It yields milliseconds since the epoch.
 */
export function moment(nowMs: number) {
  return z.string().transform((text, context) => {
    const ago = duration(0, nowMs).safeParse(text);
    if (ago.success) return nowMs - ago.data;
    const ms = /^\d{1,16}$/.test(text) ? Number(text) : Date.parse(text);
    if (Number.isFinite(ms) && /^\d{4,}/.test(text)) return ms;
    context.addIssue({
      code: "custom",
      message: 'give how long ago, such as "1h", or a time, such as "2026-01-31T08:00Z"',
    });
    return z.NEVER;
  });
}
