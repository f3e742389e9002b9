import type { Device } from "#devices/expand";
import type { Declaration } from "#devices/model";
import type { Identity, LinkReport } from "#devices/status";
import type { PropertyTwin } from "#devices/twin";

/** Whether a device answers, and if not, why. */
export interface Health {
  readonly online: boolean;
  /** `Answering`, `Starting`, or the code of a fault. */
  readonly reason: string;
  readonly message: string;
}

/** The twin of a device: what runs, and the twins of its properties by their index. Lives as long as the device. */
export interface DeviceTwin {
  declared: Declaration;
  /** Undefined when the declaration can not be driven; `health` says why. Another object after each declaration. */
  device: Device | undefined;
  properties: PropertyTwin[];
  indexOf: ReadonlyMap<string, number>;
  health: Health;
  /** How its link fares; undefined when it has none, because it can not be driven. */
  link: LinkReport | undefined;
  /** What it said of itself last; undefined when it was never asked, or has no such thing. */
  identity: Identity | undefined;
  lastSeen: number | undefined;
  /** Sequence number of the last telemetry message. */
  seq: number;
}

/** Told of what changed; the twins tell, others publish and send. */
export interface Watcher {
  /** Somebody wished something, or it was settled. */
  desired(twin: DeviceTwin, index: number): void;
  /** What a property said is no longer sure, because its device is away. */
  reported(twin: DeviceTwin, index: number): void;
  /** The device came, went or changed its state. */
  health(twin: DeviceTwin): void;
  /** This is known of the device: from before the node started, or from before its name was free. */
  known(twin: DeviceTwin): void;
  /** A property is no longer in the model. */
  left(twin: DeviceTwin, property: string): void;
  /** The device is no longer declared. One that took its name is told anew after it. */
  gone(twin: DeviceTwin): void;
}
