import type { PropertySpec } from "./model.ts";
import type { Report } from "./twin.ts";
import { equal } from "./value.ts";

/**
 * Whether a reading is worth a report: the quality changed, the value left the dead band, or the heartbeat is due.
 * A dead band compares with what was reported last, not with what was read last, so slow drift is reported too.
 */
export function isChange(last: Report | undefined, next: Report, rule: PropertySpec["report"]): boolean {
  if (!last || last.quality !== next.quality || last.reason !== next.reason) return true;
  if (rule?.heartbeat !== undefined && next.at - last.at >= rule.heartbeat) return true;
  if (typeof last.value === "number" && typeof next.value === "number")
    return rule?.deadband === undefined ? last.value !== next.value : Math.abs(next.value - last.value) > rule.deadband;
  return !equal(last.value, next.value);
}
