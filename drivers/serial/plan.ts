/** What is asked of a device, and which frame answers which points: points with equal requests share an exchange. */
import type { Point, Raw, Reading } from "#devices/driver";
import { Fault } from "#std/fault";
import { type Body, frameOpener, type OpenFrame } from "./body.ts";
import { extractor, withId } from "./extract.ts";
import type { SerialAddress } from "./schema/address.ts";
import type { SerialStation } from "./schema/station.ts";
import { ID } from "./schema/text.ts";
import { sumOf } from "./sum.ts";
import { render } from "./template.ts";

/** One point of a group. */
export interface Part {
  readonly index: number;
  /** Whether the body is of the kind that has the value. */
  matches(text: string): boolean;
  /** Makes a reading of a body that matches. */
  read(body: Body, at: number): Reading;
}

/** Points that one exchange answers. */
export interface Group {
  /** Undefined when nothing is sent and the frames are waited for. */
  readonly request: Buffer | undefined;
  readonly parts: readonly Part[];
}

/** Points in groups, and those that can not be read at all. */
export interface Plan {
  readonly groups: readonly Group[];
  readonly refused: readonly { readonly part: Pick<Part, "index">; readonly fault: Fault }[];
}

/** A station, ready for use. */
export interface Dialect {
  readonly station: SerialStation;
  readonly open: OpenFrame;
  isRefusal(text: string): boolean;
  isLast(text: string): boolean;
  /** The bytes of a template. @throws {Fault} `VALUE_INVALID`. */
  render(template: string, raw?: Raw): Buffer;
}

/** Readies a station. */
export function dialectOf(station: SerialStation): Dialect {
  const { id, encoding, checksum, refused, last } = station;
  const sum = checksum && sumOf(checksum);
  return {
    station,
    open: frameOpener(station),
    isRefusal: tester(refused, id),
    isLast: tester(last, id),
    render: (template, raw) => render(template, { id, encoding, sum, ...(raw === undefined ? {} : { raw }) }),
  };
}

/** Plans the reading of points, in the order in which their requests first come. */
export function plan(points: readonly Point<SerialAddress>[], dialect: Dialect): Plan {
  const { station } = dialect;
  const groups = new Map<string, { request: Buffer | undefined; parts: Part[] }>();
  const refused: { part: Pick<Part, "index">; fault: Fault }[] = [];
  for (const [index, point] of points.entries()) {
    try {
      const part = partOf(point, index, station);
      if (!part) throw new Fault("DEVICE_REFUSED", `${point.property} can only be written`);
      const template = point.address.request ?? station.request ?? "";
      const group = groups.get(template);
      if (group) group.parts.push(part);
      else groups.set(template, { request: template === "" ? undefined : dialect.render(template), parts: [part] });
    } catch (fault) {
      // What is wrong with one point must not cost its neighbours.
      if (!Fault.is(fault)) throw fault;
      refused.push({ part: { index }, fault: new Fault("DEVICE_REFUSED", fault.message, { cause: fault }) });
    }
  }
  return { groups: [...groups.values()], refused };
}

/** A point, ready for frames. Undefined when it can only be written. */
export function partOf({ property, address }: Point<SerialAddress>, index: number, { id = "" }: SerialStation) {
  const extract = extractor(address, id);
  if (!extract) return undefined;
  if (id === "" && needsId(address)) throw new Fault("DEVICE_REFUSED", `${property} needs the id of the station`);
  const prefix = address.prefix?.replace(ID, () => id) ?? "";
  const isFrame = address.frame === undefined ? undefined : new RegExp(withId(address.frame, id));
  const isDoubtful = tester(address.doubtful, id);
  return {
    index,
    matches: (text) => text.startsWith(prefix) && (isFrame === undefined || isFrame.test(text)),
    read(body, at) {
      const raw = extract(body);
      if (raw instanceof Fault) return { ok: false, fault: named(property, raw), at };
      if (!isDoubtful(body.text)) return { ok: true, raw, at };
      return { ok: true, raw, at, doubt: "the device marks it as uncertain" };
    },
  } satisfies Part;
}

function needsId({ prefix, frame, regex, request, doubtful }: SerialAddress): boolean {
  return [prefix, frame, regex, request, doubtful].some((text) => text?.includes("{id}"));
}

function named(property: string, { code, message, detail }: Fault): Fault {
  return new Fault(code, `${property}: ${message}`, detail);
}

/** A test of a text; without a pattern, nothing matches. */
export function tester(source: string | undefined, id = ""): (text: string) => boolean {
  if (source === undefined) return () => false;
  const regex = new RegExp(withId(source, id));
  return (text) => regex.test(text);
}
