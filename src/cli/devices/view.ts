import type { PropertySpec } from "#devices/model";
import type { PropertyReport } from "#devices/status";
import type { Value } from "#devices/value";

/** A property as commands show it: what the model says of it, and what the twin does. */
export interface PropertyView extends Omit<PropertyReport, "reported"> {
  readonly value?: Value | undefined;
  /** Undefined when there is no model that says so. */
  readonly type?: PropertySpec["type"] | undefined;
  readonly access?: PropertySpec["access"] | undefined;
  readonly unit?: string | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
}

/** A device as commands show it, wherever it was asked for. */
export interface DeviceView {
  /** Undefined where there is only one, at a site. */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly model: string;
  readonly node?: string | undefined;
  readonly online: boolean;
  /** `Answering`, `Starting`, or the code of a fault. */
  readonly reason: string;
  readonly message: string;
  /** Why the cloud does not tell the node what is declared now; the node goes on with what it was told before. */
  readonly notAccepted?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly lastSeen?: number | undefined;
  readonly properties: readonly PropertyView[];
}

/** One wish of the user. */
export interface Wish {
  readonly property: string;
  readonly value: Value;
}

/** What became of a wish. */
export interface Outcome extends Wish {
  readonly state: "pending" | "applied" | "refused";
  readonly reason?: string | undefined;
}

/** A place that knows devices: a cluster, or a site. */
export interface DeviceSource extends AsyncDisposable {
  list(signal: AbortSignal): Promise<readonly DeviceView[]>;
  /** @throws {Fault} `DEVICE_UNKNOWN` */
  get(name: string, signal: AbortSignal): Promise<DeviceView>;
  /** Wishes values and waits until each is applied or refused, at most `waitMs`. */
  wish(device: DeviceView, wishes: readonly Wish[], waitMs: number, signal: AbortSignal): Promise<readonly Outcome[]>;
  /** All devices now, and again when something may have changed, at most once a second. */
  follow(signal: AbortSignal): AsyncIterable<readonly DeviceView[]>;
}

/** What became of a wish as a property tells it; pending while the property does not know of it. */
export function outcomeOf(property: PropertyView | undefined, { value, ...wish }: Wish, isHeard: boolean): Outcome {
  if (!property || !isHeard || property.state === undefined) return { ...wish, value, state: "pending" };
  return { ...wish, value, state: property.state, ...(property.refusal ? { reason: property.refusal } : {}) };
}
