/** How a device is read, for a terminal. Pure. */
import type { DevicePlan, PlannedVisit } from "#edge/devices/plan";
import { table } from "../table.ts";
import { lessonOf, ms, percent, span } from "./why-lines.ts";

const LONGEST_NAMES = 32;

/** The lines for one device. */
export function planLines(plan: DevicePlan, nowMs: number): readonly string[] {
  const { device, protocol, address, visits, pushed, load, learned } = plan;
  return [
    `${device}: ${protocol} ${address}${load === undefined ? "" : `, ${percent(load)} of the link's time`}`,
    ...visits.flatMap(visitLines),
    ...(pushed.length > 0 ? ["", `pushed by the device: ${names(pushed)}`] : []),
    ...(learned.length > 0 ? ["", "learned from the device:", ...learned.map((it) => `  ${lessonOf(it, nowMs)}`)] : []),
  ];
}

function visitLines({ everyMs, properties, requests, asked, wasted, cycleMs, basis, warning }: PlannedVisit) {
  const rows = requests.map(({ request, properties, asked, wasted, bytes, ms: took }, i) => [
    String(i + 1),
    request,
    String(asked),
    String(wasted),
    String(bytes),
    took === undefined ? "?" : ms(took),
    names(properties),
  ]);
  const count = properties.length === 1 ? "1 property" : `${properties.length} properties`;
  const cycle = cycleMs === undefined ? "for an unknown time" : `for ${ms(cycleMs)}`;
  return [
    "",
    `every ${span(everyMs)}: ${count} in ${requests.length} request${requests.length === 1 ? "" : "s"} ${cycle}`,
    ...table(["#", "REQUEST", "ASKED", "WASTED", "BYTES", "TIME", "PROPERTIES"], rows).map((line) => `  ${line}`),
    `  asked ${asked}, wasted ${wasted}${asked > 0 ? ` (${percent(wasted / asked)})` : ""}; time ${basis}`,
    ...(warning === undefined ? [] : [`  warning: ${warning}`]),
  ];
}

function names(properties: readonly string[]): string {
  const text = properties.join(" ");
  return text.length > LONGEST_NAMES ? `${text.slice(0, LONGEST_NAMES - 1)}…` : text;
}
