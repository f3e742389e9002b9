import type { Connection, Point, Pushed, Raw, Reading } from "#devices/driver";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { Queue } from "#std/queue";
import { show } from "./bytes.ts";
import type { Line } from "./line.ts";
import { type Dialect, dialectOf, type Group, type Part, type Plan, partOf, plan, tester } from "./plan.ts";
import { isPushed } from "./pushed.ts";
import type { SerialAddress } from "./schema/address.ts";
import type { SerialStation } from "./schema/station.ts";
import { openWire } from "./wire.ts";

/** Chunks of pushed readings that may wait for who reads them; the oldest go first. */
const MOST_WAITING = 1_024;

/** What is kept of a station while the connection lives. */
interface Visit {
  readonly dialect: Dialect;
  readonly plans: WeakMap<readonly Point<SerialAddress>[], Plan>;
  isOpened: boolean;
}

/** A serial line with its devices; owns the line. */
export function openConnection(line: Line, clock: Clock): Connection<SerialStation, SerialAddress> {
  const wire = openWire(line, clock);
  const visits = new WeakMap<SerialStation, Visit>();

  return {
    async read(station, points, signal) {
      signal.throwIfAborted();
      const visit = await visitOf(station, signal);
      const { groups, refused } = planOf(visit, points);
      const readings = new Array<Reading>(points.length);
      const at = clock.now();
      for (const { index, fault } of refused) readings[index] = { ok: false, fault, at };
      let silent: Fault | undefined;
      for (const group of groups) {
        if (silent) fill(readings, group.parts, silent);
        else silent = await ask(visit.dialect, group, readings, signal);
      }
      return readings;
    },

    async write(station, { property, address }, raw, signal) {
      signal.throwIfAborted();
      if (address.write === undefined) throw new Fault("DEVICE_REFUSED", `${property} has nothing that writes it`);
      const { dialect } = await visitOf(station, signal);
      const request = dialect.render(address.write, unmapped(property, address, raw));
      if (address.answer === undefined) return await wire.say(station, request, signal);
      await confirm(dialect, request, { property, isYes: tester(address.answer, station.id) }, signal);
    },

    watch(station, points, signal) {
      return pushes(station, points, signal);
    },

    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };

  /** What is known of a station; greets it when it is new. */
  async function visitOf(station: SerialStation, signal: AbortSignal): Promise<Visit> {
    const visit = visits.get(station) ?? { dialect: dialectOf(station), plans: new WeakMap(), isOpened: false };
    visits.set(station, visit);
    if (station.open !== undefined && !visit.isOpened)
      await wire.say(station, visit.dialect.render(station.open), signal);
    visit.isOpened = true;
    return visit;
  }

  /** Asks until every point has its answer or the retries are used up. Returns the fault of a device that is silent. */
  async function ask(
    dialect: Dialect,
    { request, parts }: Group,
    readings: Reading[],
    signal: AbortSignal,
  ): Promise<Fault | undefined> {
    const { station } = dialect;
    let open: readonly Part[] = parts;
    let silent: Fault | undefined;
    for (let attempt = 0; attempt <= (request ? station.retries : 0) && open.length > 0; attempt++) {
      const asked = open;
      const taken = taker(dialect, asked, readings);
      const ended = await wire.exchange({ station, request, take: taken.take }, signal);
      silent = ended === "silent" && taken.isUntouched() ? timedOut(line, station) : undefined;
      if (silent) fill(readings, asked, silent);
      else if (ended !== "done") fill(readings, taken.missing(), lacking(line, ended));
      open = asked.filter(({ index }) => {
        const reading = readings[index];
        return reading && !reading.ok && reading.fault.retry;
      });
    }
    return silent;
  }

  function fill(readings: Reading[], parts: readonly Part[], fault: Fault): void {
    const at = clock.now();
    for (const { index } of parts) readings[index] = { ok: false, fault, at };
  }

  /** Puts the frames of one answer to the points that they answer. */
  function taker(dialect: Dialect, parts: readonly Part[], readings: Reading[]) {
    const missing = new Set(parts);
    let isTouched = false;
    const give = (to: Iterable<Part>, fault: Fault) => {
      const at = clock.now();
      for (const { index } of to) readings[index] = { ok: false, fault, at };
      missing.clear();
      return true;
    };
    return {
      missing: () => [...missing],
      isUntouched: () => !isTouched,
      take(frame: Buffer): boolean {
        // Complete already, and yet another answer: the first was owed to an earlier request.
        if (missing.size === 0) for (const part of parts) missing.add(part);
        const at = clock.now();
        let isDone = false;
        dialect.open(frame, (body) => {
          if (isDone) return;
          if (body instanceof Fault) isDone = !dialect.station.unsolicited && give(missing, body);
          else if (dialect.isRefusal(body.text)) isDone = give(missing, refusal(body.text));
          else {
            for (const part of missing) {
              if (!part.matches(body.text)) continue;
              readings[part.index] = part.read(body, at);
              missing.delete(part);
            }
            if (dialect.isLast(body.text)) isDone = give(missing, absent());
          }
          isTouched = true;
        });
        return isDone || missing.size === 0;
      },
    };
  }

  /** Sends a write and waits for its answer. */
  async function confirm(
    dialect: Dialect,
    request: Buffer,
    { property, isYes }: { readonly property: string; isYes(text: string): boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { station } = dialect;
    let verdict: Fault | "yes" | undefined;
    const take = (frame: Buffer) => {
      let isDone = false;
      dialect.open(frame, (body) => {
        if (isDone) return;
        if (body instanceof Fault) {
          if (station.unsolicited) return;
          verdict = body;
        } else if (isYes(body.text)) verdict = "yes";
        else if (dialect.isRefusal(body.text)) verdict = refusal(body.text);
        else if (station.unsolicited) return;
        else verdict = new Fault("ANSWER_INVALID", `${property}: ${show(body.text)} does not confirm the write`);
        isDone = true;
      });
      return isDone;
    };
    const ended = await wire.exchange({ station, request, take }, signal);
    if (ended === "silent") throw timedOut(line, station);
    if (ended === "garbage") throw lacking(line, ended);
    if (verdict instanceof Fault) throw verdict;
  }

  /** Readings as frames come. Listens at once, so that nothing is missed before the first `next()`. */
  function pushes(
    station: SerialStation,
    points: readonly Point<SerialAddress>[],
    signal: AbortSignal,
  ): AsyncIterable<readonly Pushed[]> {
    const dialect = dialectOf(station);
    const queue = new Queue<readonly Pushed[]>(MOST_WAITING);
    const parts = points.flatMap((point, index) =>
      isPushed(station, point.address) ? (partOf(point, index, station) ?? []) : [],
    );
    let lost: Fault | undefined;
    let batch: Pushed[] = [];
    const stop = wire.hear(station, {
      take(frame) {
        const at = clock.now();
        dialect.open(frame, (body) => {
          const text = body instanceof Fault ? frame.toString("latin1") : body.text;
          for (const part of parts) {
            if (!part.matches(text)) continue;
            const reading: Reading = body instanceof Fault ? { ok: false, fault: body, at } : part.read(body, at);
            batch.push({ index: part.index, reading });
          }
        });
      },
      chunkEnd() {
        if (batch.length > 0) queue.push(batch);
        batch = [];
      },
      lost(fault) {
        lost = fault;
        queue.close();
      },
    });
    const end = () => {
      stop();
      queue.close();
    };
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    return readingsOf();

    async function* readingsOf() {
      try {
        await visitOf(station, signal);
        for await (const pushed of queue) {
          if (signal.aborted) return;
          yield pushed;
        }
        if (lost && !signal.aborted) throw lost;
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        signal.removeEventListener("abort", end);
        end();
      }
    }
  }
}

function planOf({ dialect, plans }: Visit, points: readonly Point<SerialAddress>[]): Plan {
  const known = plans.get(points) ?? plan(points, dialect);
  plans.set(points, known);
  return known;
}

/** What the device calls a value: the text of its map. */
function unmapped(property: string, { map, type }: SerialAddress, raw: Raw): Raw {
  if (map) {
    for (const [text, meaning] of Object.entries(map)) if (meaning === raw) return text;
    throw new Fault("VALUE_INVALID", `${property} can not be ${show(String(raw))}: it is none of its map`);
  }
  if (type === "text" || typeof raw !== "string") return raw;
  throw new Fault("VALUE_INVALID", `${property} can not be ${show(raw)}: it takes a number`);
}

function timedOut({ name }: Line, { id, timeoutMs }: SerialStation): Fault {
  const who = id === undefined ? "the device" : `device ${id}`;
  return new Fault("DEVICE_TIMEOUT", `${who} at ${name} was silent for ${timeoutMs} ms`, { timeoutMs });
}

function lacking({ name }: Line, ended: "silent" | "garbage"): Fault {
  const what = ended === "garbage" ? "bytes that are no whole frame" : "frames, but not the one that was asked for";
  return new Fault("ANSWER_INVALID", `${name} sent ${what}`);
}

function refusal(text: string): Fault {
  return new Fault("DEVICE_REFUSED", `the device says ${show(text.trim())}`);
}

function absent(): Fault {
  return new Fault("DEVICE_REFUSED", "the device's answer has no such value");
}
