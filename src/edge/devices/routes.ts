/** Routes of the edge's API that explain devices: why one is as it is, how it is read, what went over its link. */
import { Readable } from "node:stream";
import type { Exchange } from "#devices/driver";
import type { Device } from "#devices/expand";
import { formatExchange } from "#devices/recording";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Routes } from "#std/http";
import { parse, z } from "#std/schema";
import type { DeviceTwin } from "../device-twin.ts";
import { paths } from "../openapi.ts";
import type { Twins } from "../twins.ts";
import { followExchanges } from "./exchanges.ts";
import { planOf } from "./plan.ts";
import type { Supervisor } from "./supervisor.ts";
import { whyOf } from "./why.ts";

export interface ToolPorts {
  readonly twins: Twins;
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  /** Aborts when the node stops. */
  readonly signal: AbortSignal;
}

const LONGEST_FOLLOW_MS = 3_600_000;
const query = z.strictObject({ forMs: z.coerce.number().int().min(0).max(LONGEST_FOLLOW_MS).default(0) });

type OfDevice = { Params: { device: string } };

/** Serves `why`, `plan` and `exchanges` of a device. */
export function explainDevices(app: Routes, { twins, supervisor, clock, signal }: ToolPorts): void {
  app.get<OfDevice>(paths.why, async ({ params }) => {
    const twin = twins.named(params.device);
    return whyOf(twin, supervisor.findBus(twin)?.inspect(twin));
  });

  app.get<OfDevice>(paths.plan, async ({ params }) => {
    const twin = twins.named(params.device);
    const device = runningOf(twin);
    const driver = supervisor.driverOf(device);
    if (!driver) throw new Fault("DRIVER_UNKNOWN", `the driver ${device.protocol} of ${device.name} is not loaded`);
    return planOf(device, driver, supervisor.busOf(twin).experienceOf(twin));
  });

  app.get<OfDevice>(paths.exchanges, async ({ params, query: given }, reply) => {
    const { forMs } = parse(query, given, "the request", "MESSAGE_INVALID");
    const twin = twins.named(params.device);
    const { protocol } = runningOf(twin);
    const driver = supervisor.driverOf({ protocol });
    // The device may be declared anew meanwhile; then it has another station.
    const isWanted = (exchange: Exchange) => driver?.isWith?.(twin.device?.station, exchange) ?? true;
    const bus = supervisor.busOf(twin);
    if (bus.exchanges === undefined && supervisor.findBus(twin)?.inspect(twin).link.state === "up")
      throw new Fault("USAGE_INVALID", `the ${protocol} driver keeps no exchanges`);
    reply.type("application/x-ndjson");
    if (forMs === 0) return (bus.exchanges ?? []).filter(isWanted).map(lineOf).join("");
    // The device may move to another link meanwhile; then that one is followed.
    const ring = () => supervisor.findBus(twin)?.exchanges;
    return reply.send(Readable.from(lines(followExchanges({ ring, isWanted, forMs, clock }, signal))));
  });
}

async function* lines(exchanges: AsyncIterable<Exchange | undefined>): AsyncGenerator<string> {
  for await (const exchange of exchanges) yield lineOf(exchange);
}

/** As a recording has it; a line with `missed` says that some went by too quickly. */
function lineOf(exchange: Exchange | undefined): string {
  return `${exchange ? formatExchange(exchange) : JSON.stringify({ missed: true })}\n`;
}

/** @throws {Fault} `DEVICE_UNKNOWN` when the declaration can not be driven. */
function runningOf({ device, declared, health }: DeviceTwin): Device {
  if (!device) throw new Fault("DEVICE_UNKNOWN", `${declared.name} does not run: ${health.message}`);
  return device;
}
