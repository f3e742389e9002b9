import type { Connection, Point, Raw, Reading } from "#devices/driver";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { awaitConfirmation, awaitReadings } from "./answer.ts";
import { show } from "./bytes.ts";
import type { Line } from "./line.ts";
import { openNotes, type SerialExchange } from "./notes.ts";
import { type Dialect, dialectOf, type Group, type Part, type Plan, plan, tester } from "./plan.ts";
import { listen } from "./pushes.ts";
import type { SerialAddress } from "./schema/address.ts";
import type { SerialStation } from "./schema/station.ts";
import { type Ended, openTalk } from "./talk.ts";

/** What is kept of a station while the connection lives. */
interface Visit {
  readonly dialect: Dialect;
  /** By the caller's array of points. */
  readonly plans: WeakMap<readonly Point<SerialAddress>[], Plan>;
  /** Whether the device was sent its opening message. */
  isOpened: boolean;
}

/** A connection with all that is optional elsewhere. */
export interface SerialConnection extends Connection<SerialStation, SerialAddress> {
  readonly exchanges: readonly SerialExchange[];
}

/** A serial line with its devices; owns the line. */
export function openConnection(line: Line, clock: Clock): SerialConnection {
  const notes = openNotes(clock.now);
  const talk = openTalk(line, clock, notes.stray);
  const visits = new WeakMap<SerialStation, Visit>();

  return {
    async read(station, points, signal) {
      const visit = await greet(station, signal);
      const { groups, refused } = planOf(visit, points);
      const readings = new Array<Reading>(points.length);
      for (const { part, fault } of refused) fill(readings, [part], fault);
      let silent: Fault | undefined;
      for (const group of groups) {
        // One wait per visit is enough for a device that is off.
        if (silent) fill(readings, group.parts, silent);
        else silent = await ask(visit.dialect, group, readings, signal);
      }
      return readings;
    },

    async write(station, { property, address }, raw, signal) {
      signal.throwIfAborted();
      if (address.write === undefined) throw new Fault("DEVICE_REFUSED", `${property} has no template that writes it`);
      const { dialect } = visitOf(station);
      const request = dialect.render(address.write, written(property, address, raw));
      await greet(station, signal);
      if (address.answer === undefined) return await say(station, request, signal);
      const answer = awaitConfirmation(dialect, property, tester(address.answer, station.id));
      const fault = await exchange({ station, request, take: answer.take }, signal, (ended) => {
        if (ended === "silent") return answer.fault ?? silence(line, station);
        return answer.fault ?? (ended === "garbage" ? noFrame(line) : undefined);
      });
      if (fault) throw fault;
    },

    watch(station, points, signal) {
      const { dialect } = visitOf(station);
      const greeting = async () => void (await greet(station, signal));
      return listen(talk, { dialect, points, notes, now: clock.now, greet: greeting }, signal);
    },

    get exchanges() {
      return notes.list();
    },

    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };

  function visitOf(station: SerialStation): Visit {
    const visit = visits.get(station) ?? { dialect: dialectOf(station), plans: new WeakMap(), isOpened: false };
    visits.set(station, visit);
    return visit;
  }

  /** Sends the opening message of a station that is new on this connection. */
  async function greet(station: SerialStation, signal: AbortSignal): Promise<Visit> {
    signal.throwIfAborted();
    const visit = visitOf(station);
    if (station.open === undefined || visit.isOpened) return visit;
    visit.isOpened = true;
    try {
      await say(station, visit.dialect.render(station.open), signal);
    } catch (error) {
      visit.isOpened = false;
      throw error;
    }
    return visit;
  }

  /** Asks until every point has its reading or the retries are used up. Returns the fault of a device that is off. */
  async function ask(
    dialect: Dialect,
    { request, parts }: Group,
    readings: Reading[],
    signal: AbortSignal,
  ): Promise<Fault | undefined> {
    const { station } = dialect;
    const attempts = request ? 1 + station.retries : 1;
    let open = parts;
    let silent: Fault | undefined;
    for (let attempt = 0; attempt < attempts && open.length > 0; attempt++) {
      const answer = awaitReadings(dialect, open, readings, clock.now);
      const asked = open;
      await exchange({ station, request, take: answer.take }, signal, (ended) => {
        silent = ended === "silent" && !answer.isBegun ? silence(line, station) : undefined;
        if (silent) fill(readings, answer.missing, silent);
        else if (ended === "silent") fill(readings, answer.missing, otherFrames(line));
        else if (ended === "garbage") fill(readings, answer.missing, noFrame(line));
        return asked.map(({ index }) => readings[index]).find((reading) => reading?.ok === false)?.fault;
      });
      open = open.filter(({ index }) => canRetry(readings[index]));
    }
    return request ? silent : undefined;
  }

  /** An exchange, noted. @param judge - says what is wrong with the answer. */
  async function exchange(
    asked: { readonly station: SerialStation; readonly request: Buffer | undefined; take(frame: Buffer): boolean },
    signal: AbortSignal,
    judge: (ended: Ended) => Fault | undefined,
  ): Promise<Fault | undefined> {
    const note = notes.exchange(asked.station, asked.request);
    const take = (frame: Buffer) => {
      note.frame();
      return asked.take(frame);
    };
    try {
      const fault = judge(await talk.exchange({ ...asked, take, note }, signal));
      note.end(fault?.message);
      return fault;
    } catch (error) {
      note.end(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** Sends what nobody confirms, noted. */
  async function say(station: SerialStation, bytes: Buffer, signal: AbortSignal): Promise<void> {
    await talk.say(station, bytes, signal);
    notes.told(station, bytes);
  }

  function fill(readings: Reading[], parts: readonly Pick<Part, "index">[], fault: Fault): void {
    const at = clock.now();
    for (const { index } of parts) readings[index] = { ok: false, fault, at };
  }
}

function planOf({ dialect, plans }: Visit, points: readonly Point<SerialAddress>[]): Plan {
  const known = plans.get(points) ?? plan(points, dialect);
  plans.set(points, known);
  return known;
}

function canRetry(reading: Reading | undefined): boolean {
  return reading !== undefined && !reading.ok && reading.fault.retry;
}

/** What the device calls a value: the text of its map, or the value as it is. */
function written(property: string, { map, type }: SerialAddress, raw: Raw): Raw {
  if (map) {
    for (const [text, meaning] of Object.entries(map)) if (meaning === raw) return text;
    throw new Fault("VALUE_INVALID", `${property} can not be ${show(String(raw))}: it is none of its map`);
  }
  if (type === "text" || typeof raw !== "string") return raw;
  throw new Fault("VALUE_INVALID", `${property} can not be ${show(raw)}: it takes a number`);
}

function silence({ name }: Line, { id, timeoutMs }: SerialStation): Fault {
  const who = id === undefined ? "the device" : `device ${id}`;
  return new Fault("DEVICE_TIMEOUT", `${who} at ${name} was silent for ${timeoutMs} ms`, { timeoutMs });
}

function otherFrames({ name }: Line): Fault {
  return new Fault("ANSWER_INVALID", `${name} sent frames, but not the one that was asked for`);
}

function noFrame({ name }: Line): Fault {
  return new Fault("ANSWER_INVALID", `${name} sent bytes that are no whole frame`);
}
