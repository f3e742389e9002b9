/** Why a device is as it is, on one screen. Pure. */
import type { Lesson } from "#devices/driver";
import type { ExchangeView, Inspection, LinkView } from "#edge/devices/inspect";
import type { Why } from "#edge/devices/why";
import { sparkline, spread } from "../sparkline.ts";
import { age, table } from "../table.ts";

/** Bytes that are shown of a request or an answer; `-o json` has all. */
const MOST_BYTES = 24;
/** Properties that are listed; a device that is off has all of them bad for the same reason. */
const MOST_COMPLAINTS = 12;
/** Less than that is not worth its place. */
const LEAST_SHARE = 0.00005;
const LABEL = 12;

/** The lines for a terminal. */
export function whyLines(why: Why, nowMs: number): readonly string[] {
  const { bus, identity, hint } = why;
  return [
    ...headLines(why, nowMs),
    "",
    ...complaintLines(why, nowMs),
    "",
    ...(bus ? busLines(bus, nowMs) : [labelled("Link", "none: the declaration can not be driven")]),
    ...(identity ? [labelled("Identity", facts(identity))] : []),
    ...(hint === undefined ? [] : ["", labelled("Hint", hint)]),
  ];
}

function headLines({ device, model, online, reason, message, lastSeen }: Why, nowMs: number): readonly string[] {
  const seen = lastSeen === undefined ? "never seen" : `seen ${age(nowMs - lastSeen)} ago`;
  return [
    labelled("Device", `${device} (${model}), ${seen}`),
    labelled("Ready", `${online ? "yes" : "no"}: ${reason}, ${message}`),
  ];
}

function complaintLines({ readable, good, complaints }: Why, nowMs: number): readonly string[] {
  const count = `${good} of ${readable} properties are good`;
  if (complaints.length === 0) return [labelled("Values", count)];
  const rows = complaints
    .slice(0, MOST_COMPLAINTS)
    .map(({ property, quality = "-", at, reason }) => [
      property,
      quality,
      at === undefined ? "-" : `${age(nowMs - at)} ago`,
      reason,
    ]);
  const more = complaints.length - MOST_COMPLAINTS;
  return [
    labelled("Values", `${count}; these are not as they should be:`),
    ...table(["PROPERTY", "QUALITY", "CHANGED", "WHY"], rows).map((line) => `  ${line}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function busLines({ link, visits, pushed, exchanges, learned }: Inspection, nowMs: number): readonly string[] {
  const { lastError } = link;
  return [
    labelled("Link", `${link.protocol} ${link.address}: ${stateOf(link, nowMs)}`),
    ...(lastError
      ? [labelled("Lost", `${age(nowMs - lastError.at)} ago: ${lastError.code}, ${lastError.message}`)]
      : []),
    labelled("Busy", busyOf(link)),
    ...visits.map(({ everyMs, properties, misses, next }, i) => {
      const missed = misses === 0 ? "" : `, ${times(misses, "visit")} in a row missed`;
      const text = `every ${span(everyMs)}: ${times(properties.length, "property")}${missed}, next ${until(next - nowMs)}`;
      return labelled(i === 0 ? "Visits" : "", link.state === "up" ? text : text.replace(/, next .*/, ""));
    }),
    ...(pushed.length > 0 ? [labelled("Pushed", `${times(pushed.length, "property")} by the device itself`)] : []),
    ...exchangeLines(exchanges, nowMs),
    ...learned.map((lesson, i) => labelled(i === 0 ? "Learned" : "", lessonOf(lesson, nowMs))),
  ];
}

function stateOf({ state, since, failures, nextAttempt, devices }: LinkView, nowMs: number): string {
  const failed = failures === 0 ? "" : `, ${times(failures, "failure")} in a row`;
  const next = nextAttempt === undefined ? "" : `, next attempt ${until(nextAttempt - nowMs)}`;
  const shared = devices.length > 1 ? `; ${devices.length} devices` : "";
  return `${state} since ${age(nowMs - since)}${failed}${next}${shared}`;
}

function busyOf({ busy }: LinkView): string {
  const all = busy.reduce((sum, { share }) => sum + share, 0);
  const shown = busy.filter(({ share }) => share > LEAST_SHARE);
  const each = shown.slice(0, 4).map(({ who, share }) => `${who} ${percent(share)}`);
  const rest = shown.length > 4 ? `, ${shown.length - 4} more` : "";
  return `${percent(all)} of the last minute${each.length === 0 ? "" : ` (${each.join(", ")}${rest})`}`;
}

function exchangeLines(exchanges: readonly ExchangeView[] | undefined, nowMs: number): readonly string[] {
  if (!exchanges) return [labelled("Exchanges", "none are kept by this driver")];
  const last = exchanges.at(-1);
  if (!last) return [labelled("Exchanges", "none yet")];
  const wrong = exchanges.findLast(({ error, outcome }) => error !== undefined || outcome === "unanswered");
  return [
    ...roundTripLines(exchanges.filter(({ outcome }) => outcome !== "told")),
    ...exchangeOf(wrong && wrong !== last ? "Last good" : "Last", last, nowMs),
    ...(wrong && wrong !== last ? exchangeOf("Last bad", wrong, nowMs) : []),
  ];
}

function roundTripLines(asked: readonly ExchangeView[]): readonly string[] {
  if (asked.length === 0) return [];
  const times = asked.map(({ ms, outcome }) => (outcome === "unanswered" ? undefined : ms));
  const answered = times.filter((ms) => ms !== undefined);
  const figures = spread(answered);
  const silent = asked.length - answered.length;
  const parts = [
    sparkline(times),
    ...(figures ? [`min ${ms(figures.min)}, median ${ms(figures.median)}, max ${ms(figures.max)}`] : []),
    ...(silent > 0 ? [`${silent} of ${asked.length} unanswered`] : []),
  ];
  return [labelled("Round trip", parts.join("  "))];
}

function exchangeOf(label: string, exchange: ExchangeView, nowMs: number): readonly string[] {
  const { at, ms: took, outcome, request, answer, error, asked, said } = exchange;
  const after = outcome === "told" ? "" : `   after ${ms(took)}`;
  const came = outcome === "unanswered" ? "no answer" : bytes(answer ?? "");
  const words = error ?? said;
  // What has no bytes has words instead.
  const heard = outcome !== "unanswered" && answer === undefined ? shorten(words ?? "an answer") : came;
  return [
    labelled(label, `${age(nowMs - at)} ago${asked === undefined ? "" : `, ${asked}`}`),
    ...(request === undefined ? [] : [labelled("", `> ${bytes(request)}`)]),
    ...(heard === "" ? [] : [labelled("", `< ${heard}${after}`)]),
    ...(words === undefined || came !== heard ? [] : [labelled("", `  ${shorten(words)}`)]),
  ];
}

/** What a device taught, as a sentence. */
export function lessonOf({ kind, table, start, count, until: end }: Lesson, nowMs: number): string {
  const left = `believed for ${age(end - nowMs)}`;
  if (kind === "limit") return `${table}: at most ${count} at once (${left})`;
  const range = count > 1 ? `${start} to ${start + count - 1} do` : `${start} does`;
  return `${table} ${range} not exist (${left})`;
}

function labelled(label: string, text: string): string {
  return `${label.padEnd(LABEL)}${text}`.trimEnd();
}

function facts(record: Readonly<Record<string, string>>): string {
  return Object.entries(record)
    .map(([name, text]) => `${name} ${text}`)
    .join(", ");
}

function bytes(hex: string): string {
  const all = hex.match(/../g) ?? [];
  const more = all.length - MOST_BYTES;
  return `${all.slice(0, MOST_BYTES).join(" ")}${more > 0 ? ` … (${all.length} bytes)` : ""}`;
}

function shorten(text: string): string {
  const most = 3 * MOST_BYTES;
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function until(leftMs: number): string {
  return leftMs <= 0 ? "now" : `in ${span(leftMs)}`;
}

/** A length of time: milliseconds below ten seconds. */
export function span(lengthMs: number): string {
  if (lengthMs < 1_000) return `${Math.round(lengthMs)} ms`;
  return lengthMs < 10_000 ? `${Number((lengthMs / 1_000).toFixed(1))} s` : age(lengthMs);
}

/** A share of something, exact enough for people. */
export function percent(share: number): string {
  const hundredths = share * 100;
  return `${hundredths >= 10 ? Math.round(hundredths) : Number(hundredths.toFixed(hundredths >= 1 ? 1 : 2))} %`;
}

/** Milliseconds with three digits. */
export function ms(number: number): string {
  return `${Number(number.toPrecision(3))} ms`;
}

function times(count: number, what: string): string {
  const plural = what.endsWith("y") ? `${what.slice(0, -1)}ies` : `${what}s`;
  return `${count} ${count === 1 ? what : plural}`;
}
