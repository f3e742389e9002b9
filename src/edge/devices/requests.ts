import type { Connection, Driver, Point, Raw, Reading } from "#devices/driver";
import type { Device } from "#devices/expand";
import type { CommandSpec } from "#devices/model";
import type { Value } from "#devices/value";
import { deadline } from "#std/deadline";
import { Fault } from "#std/fault";
import { unlessHung } from "./hang.ts";

/**
 * What can be asked of the devices of an open link. Each request ends in time, so that who is silent costs its
 * neighbours one wait.
 * @throws {Fault} `DEVICE_TIMEOUT` when the device did not answer in time; whatever the driver throws.
 */
export interface Requests {
  read(device: Device, points: readonly Point[], signal: AbortSignal): Promise<readonly Reading[]>;
  write(device: Device, point: Point, raw: Raw, signal: AbortSignal): Promise<void>;
  /** @throws {Fault} `COMMAND_UNKNOWN` when the driver has no calls. */
  call(device: Device, command: CommandSpec, args: readonly Value[], signal: AbortSignal): Promise<Value>;
  /** What a device says of itself; empty when the driver can not ask. */
  describe(device: Device, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}

/** What a link is asked by. */
export type Asked = Pick<Driver, "timeoutMs">;

const DEFAULT_TIMEOUT_MS = 1_000;

/** Asks on a connection. @param giveUpMs - how long a driver may go on after its time; then its link is lost. */
export function requestsOn(connection: Connection, driver: Asked, link: unknown, giveUpMs: number): Requests {
  const within = async <T>(
    device: Device,
    ms: number,
    signal: AbortSignal,
    ask: (signal: AbortSignal) => Promise<T>,
  ) => {
    using limit = deadline(ms, signal);
    try {
      return await unlessHung(ask(limit.signal), limit.signal, giveUpMs);
    } catch (error) {
      if (!limit.expired || signal.aborted || Fault.is(error, "LINK_LOST")) throw error;
      throw new Fault("DEVICE_TIMEOUT", `${device.name} did not answer within ${ms} ms`, { timeoutMs: ms });
    }
  };
  const timeoutOf = ({ station }: Device) => driver.timeoutMs?.(link, station) ?? timeoutMsOf(link);
  return {
    read: (device, points, signal) =>
      within(device, timeoutOf(device), signal, (signal) => connection.read(device.station, points, signal)),
    write: (device, point, raw, signal) =>
      within(device, timeoutOf(device), signal, (signal) => connection.write(device.station, point, raw, signal)),
    async call(device, { address, timeout }, args, signal) {
      const call = connection.call?.bind(connection);
      if (!call) throw new Fault("COMMAND_UNKNOWN", `the ${device.protocol} driver can not call`);
      const ms = timeout ?? timeoutOf(device);
      return await within(device, ms, signal, (signal) => call(device.station, address, args, signal));
    },
    async describe(device, signal) {
      const describe = connection.describe?.bind(connection);
      if (!describe) return {};
      return await within(device, timeoutOf(device), signal, (signal) => describe(device.station, signal));
    },
  };
}

/** Links say how long one request may take. */
function timeoutMsOf(link: unknown): number {
  const timeoutMs = typeof link === "object" && link !== null && "timeoutMs" in link ? link.timeoutMs : undefined;
  return typeof timeoutMs === "number" ? timeoutMs : DEFAULT_TIMEOUT_MS;
}
