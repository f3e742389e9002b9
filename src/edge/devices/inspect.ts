/** What a bus shows of itself and of one of its devices; the texts for it are made here, the facts by the bus. */
import type { Connection, Driver, Exchange, Lesson } from "#devices/driver";
import type { Device } from "#devices/expand";
import { hexOf } from "#devices/recording";
import type { DeviceTwin } from "../device-twin.ts";
import type { CircuitView } from "./circuit.ts";
import type { Turns } from "./turns.ts";
import type { Visit } from "./visit.ts";

/** The link of a device. */
export interface LinkView extends CircuitView {
  readonly protocol: string;
  /** Where it leads, such as `plc.local:502` or `/dev/ttyUSB0`. */
  readonly address: string;
  /** As the device declares it, with the defaults. */
  readonly settings: unknown;
  /** Names of the devices on it. */
  readonly devices: readonly string[];
}

/** Properties of a device that are read together. */
export interface VisitView {
  readonly everyMs: number;
  readonly properties: readonly string[];
  /** Visits in a row that nobody answered. */
  readonly misses: number;
  /** When the next one is due, in milliseconds since the Unix epoch. */
  readonly next: number;
}

/** An exchange as people see it: bytes in hex, where there are some, and in words where the driver has some. */
export interface ExchangeView {
  readonly at: number;
  readonly ms: number;
  /** `told` is what nobody asked for, or what nobody had to answer. */
  readonly outcome: "answered" | "unanswered" | "told";
  readonly request?: string;
  readonly answer?: string;
  readonly error?: string;
  readonly asked?: string;
  readonly said?: string;
}

/** Everything that a bus knows about a device. */
export interface Inspection {
  readonly link: LinkView;
  readonly visits: readonly VisitView[];
  /** Properties that the device pushes by itself. */
  readonly pushed: readonly string[];
  /** The last exchanges with this device, the oldest first. Undefined when the driver keeps none. */
  readonly exchanges: readonly ExchangeView[] | undefined;
  readonly learned: readonly Lesson[];
}

/** What a bus knows. */
export interface Facts {
  readonly driver: Driver;
  readonly link: unknown;
  readonly circuit: CircuitView;
  readonly devices: readonly DeviceTwin[];
  readonly visits: readonly Visit[];
  readonly pushed: readonly Visit[];
  readonly turns: Pick<Turns<Visit>, "of">;
  readonly connection: Connection | undefined;
  /** What was said at the last visit that the device did not answer: on a busy link it is soon forgotten otherwise. */
  readonly unanswered: readonly Exchange[] | undefined;
  /** Milliseconds since the Unix epoch at which the monotonic clock was 0. */
  readonly epochMs: number;
}

/** Puts together what a bus knows about one of its devices. */
export function inspect(twin: DeviceTwin, facts: Facts): Inspection {
  const { driver, link, circuit, devices, visits, pushed, turns, connection, unanswered, epochMs } = facts;
  const { device } = twin;
  const recent = device && exchangesWith(driver, connection, device);
  const exchanges = recent?.length === 0 ? (unanswered ?? []) : recent;
  const isMine = (visit: Visit) => visit.twin === twin;
  const namesOf = ({ points }: Visit) => points.map(({ property }) => property);
  return {
    link: {
      protocol: driver.protocol,
      address: addressOf(link),
      settings: link,
      ...circuit,
      devices: devices.map(({ declared }) => declared.name),
    },
    visits: visits.filter(isMine).map((visit) => {
      const { dueMs = 0, misses = 0 } = turns.of(visit) ?? {};
      return { everyMs: visit.periodMs, properties: namesOf(visit), misses, next: Math.round(epochMs + dueMs) };
    }),
    pushed: pushed.filter(isMine).flatMap(namesOf),
    exchanges: exchanges?.map((exchange) => exchangeView(driver, exchange)),
    learned: (device && connection?.learned?.(device.station)) ?? [],
  };
}

/** The last exchanges with one device, as far as the driver can tell them from those with its neighbours. */
export function exchangesWith(
  driver: Driver,
  connection: Pick<Connection, "exchanges"> | undefined,
  { station }: Pick<Device, "station">,
): readonly Exchange[] | undefined {
  return connection?.exchanges?.filter((exchange) => driver.isWith?.(station, exchange) ?? true);
}

/** An exchange for people. */
export function exchangeView(driver: Pick<Driver, "tell">, exchange: Exchange): ExchangeView {
  const { at, ms, request, answer, error } = exchange;
  return {
    at,
    ms: Math.round(ms * 1000) / 1000,
    outcome: outcomeOf(exchange),
    ...(request instanceof Uint8Array ? { request: hexOf(request) } : {}),
    ...(answer instanceof Uint8Array ? { answer: hexOf(answer) } : {}),
    ...(error === undefined ? {} : { error }),
    ...driver.tell?.(exchange),
  };
}

function outcomeOf({ request, answer }: Pick<Exchange, "request" | "answer">): ExchangeView["outcome"] {
  if (answer === undefined) return "unanswered";
  return request === undefined || (answer instanceof Uint8Array && answer.length === 0) ? "told" : "answered";
}

/** The middle of the measured times from request to answer, in milliseconds; undefined when nothing was answered. */
export function roundTripMs(exchanges: readonly Pick<Exchange, "ms" | "request" | "answer">[]): number | undefined {
  const times = exchanges.filter((exchange) => outcomeOf(exchange) === "answered").map(({ ms }) => ms);
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** Where a link leads, in the words that its protocol has for it. */
export function addressOf(link: unknown): string {
  if (typeof link !== "object" || link === null) return String(link);
  const { host, port, path, usb, endpoint, file, name } = link as Readonly<Record<string, unknown>>;
  if (host !== undefined) return `${host}${port === undefined ? "" : `:${port}`}`;
  if (usb !== undefined) return `usb ${JSON.stringify(usb)}`;
  return String(path ?? endpoint ?? file ?? name ?? JSON.stringify(link));
}
