import type { Value } from "#devices/value";
import { age, table } from "../table.ts";
import type { DeviceView, Outcome, PropertyView } from "./view.ts";

/** Numbers with more digits than that are noise to the eye. */
const DIGITS = 6;
const LONGEST_VALUE = 40;
const COLUMNS = ["PROPERTY", "VALUE", "UNIT", "QUALITY", "CHANGED", "DESIRED", "STATE"];

/** A value as a table shows it. */
export function showValue(value: Value | undefined): string {
  if (value === undefined) return "-";
  if (typeof value === "number")
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(DIGITS)));
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE - 1)}…` : text;
}

/** One line for each device. */
export function listLines(devices: readonly DeviceView[], nowMs: number): readonly string[] {
  if (devices.length === 0) return ["no devices"];
  const isSpread = new Set(devices.map(({ namespace }) => namespace)).size > 1;
  const head = [...(isSpread ? ["NAMESPACE"] : []), "NAME", "MODEL", "NODE", "READY", "REASON", "SEEN", "VALUES"];
  const rows = devices.map(({ namespace, name, model, node, online, reason, lastSeen, properties }) => [
    ...(isSpread ? [namespace ?? ""] : []),
    name,
    model,
    node ?? "-",
    online ? "yes" : "no",
    reason,
    lastSeen === undefined ? "never" : age(nowMs - lastSeen),
    properties
      .map(({ name, value, unit }) => `${name}=${showValue(value)}${value === undefined ? "" : unitOf(unit)}`)
      .join(" "),
  ]);
  return table(head, rows);
}

/** All of one device. */
export function deviceLines(device: DeviceView, nowMs: number): readonly string[] {
  const { namespace, name, model, node, online, reason, message, notAccepted, lastSeen, properties } = device;
  const isOutdated = online && notAccepted !== undefined;
  const why = message === "" || message === reason || isOutdated ? "" : `, ${message}`;
  const facts = table(
    ["Name", name],
    [
      ...(namespace === undefined ? [] : [["Namespace", namespace]]),
      ["Model", model],
      ...(node === undefined ? [] : [["Node", node]]),
      ["Ready", `${online ? "yes" : "no"}: ${reason}${why}`],
      ...(isOutdated ? [["Accepted", `no: ${notAccepted}; it runs as declared before`]] : []),
      ["Seen", lastSeen === undefined ? "never" : `${age(nowMs - lastSeen)} ago`],
    ],
  );
  return properties.length === 0 ? facts : [...facts, "", ...propertyLines(properties, nowMs)];
}

/** One line for each property. */
function propertyLines(properties: readonly PropertyView[], nowMs: number): readonly string[] {
  const rows = properties.map(({ name, value, unit, quality, reason, at, desired, state, refusal, conflict }) => [
    name,
    showValue(value),
    unit ?? "",
    quality ?? "-",
    at === undefined ? "-" : `${age(nowMs - at)} ago`,
    showValue(desired).replace(/^-$/, ""),
    state ?? "",
    [reason, refusal ?? (conflict?.rule === "manual" ? "cloud and site differ, see device conflicts" : undefined)]
      .filter((text) => text !== undefined)
      .join("; "),
  ]);
  const hasReasons = rows.some((row) => row.at(-1) !== "");
  return table([...COLUMNS, ...(hasReasons ? ["WHY"] : [])], rows);
}

/** What became of a wish, as a sentence. */
export function outcomeLine(device: string, { property, value, state, reason }: Outcome): string {
  const why = reason === undefined ? "" : `: ${reason}`;
  return `${device} ${property}=${showValue(value)} ${state}${why}`;
}

/** Units that people write after a number as they read them; others are shown by their code. */
function unitOf(unit: string | undefined): string {
  if (unit === undefined) return "";
  return unit === "Cel" ? "°C" : unit;
}
