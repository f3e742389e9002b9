import { randomUUID } from "node:crypto";
import { value } from "#devices/value";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { type HttpServer, openHttp, type Routes } from "#std/http";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import type { Metrics } from "#std/metrics";
import { parse, z } from "#std/schema";
import type { RemoteState } from "./bridge/remote.ts";
import type { Commands } from "./commands.ts";
import { reportOf } from "./device-report.ts";
import type { DeviceTwin } from "./device-twin.ts";
import { explainDevices } from "./devices/routes.ts";
import type { Supervisor } from "./devices/supervisor.ts";
import { modelOf } from "./devices/why.ts";
import { openApi, paths } from "./openapi.ts";
import type { Reloaded } from "./reload.ts";
import type { Twins } from "./twins.ts";
import type { UplinkState } from "./uplink.ts";
import { wish } from "./wishes.ts";

/** What the node says of itself. */
export interface NodeState {
  readonly node: string;
  readonly version: string;
  /** Where it keeps what it knows, for commands that run beside it with the same rights. */
  readonly dataDir: string;
  readonly startedAt: number;
  readonly uplink: UplinkState;
  /** The bridge to another broker, and the broker that is in the place of the node's own; where there is one. */
  readonly bridge?: RemoteState;
  readonly external?: RemoteState;
  readonly backlog: number;
  readonly devices: number;
  readonly devicesOnline: number;
  /** Values read since the start. */
  readonly values: number;
}

export interface ApiPorts {
  readonly twins: Twins;
  readonly supervisor: Supervisor;
  readonly commands: Commands;
  readonly metrics: Metrics;
  readonly node: () => NodeState;
  /** Why the disk takes nothing; undefined while it does. */
  readonly trouble: () => Fault | undefined;
  readonly reload: () => Promise<Reloaded>;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the node stops: waiting answers end then. */
  readonly signal: AbortSignal;
}

const commandBody = z.strictObject({
  /** Without one, each request is a command of its own. */
  id: z.string().min(1).max(128).optional(),
  args: z.array(value).max(64).optional(),
  deadlineMs: z.number().int().min(1).max(3_600_000).optional(),
});
const desiredBody = z.strictObject({ value, forMs: z.number().int().min(1).max(31_536_000_000).optional() });

/** Serves the edge's HTTP API for applications on this machine: devices, twins, wishes, health, metrics. */
export function openApiServer(endpoint: Endpoint, ports: ApiPorts): Promise<HttpServer> {
  return openHttp({ ...endpoint, what: "the edge API", log: ports.log }, (app) => {
    onlyLocal(app);
    health(app, ports);
    devices(app, ports);
    explainDevices(app, ports);
  });
}

/**
 * A page of any web site can send requests to loopback. Its Host header betrays it (DNS rebinding), and its Origin
 * header does when it writes: a POST without a body goes out before the browser asks anybody for leave.
 */
function onlyLocal(app: Routes): void {
  app.addHook("onRequest", async ({ headers: { host = "", origin } }, reply) => {
    const stranger = isLocal(host) ? origin : host;
    if (stranger !== undefined && !isLocal(stranger.replace(/^https?:\/\//, "")))
      return reply.code(403).send({ status: 403, title: `${stranger} is not this machine` });
    return undefined;
  });
}

function isLocal(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);
}

function health(app: Routes, { metrics, node, trouble, reload }: ApiPorts): void {
  app.get(paths.healthz, async () => ({ status: "ok" }));
  // The site is driven all the same; but what is said now is on no disk.
  app.get(paths.readyz, async (_, reply) => {
    const fault = trouble();
    if (!fault) return { status: "ok" };
    const { code, message, hint } = fault;
    return reply.code(503).send({ status: "trouble", code, message, hint });
  });
  app.get(paths.metrics, async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  app.get(paths.openapi, async () => openApi(node().version));
  app.get(paths.node, async () => node());
  app.post(paths.reload, async () => await reload());
}

function devices(app: Routes, { twins, commands, clock, signal }: ApiPorts): void {
  app.get(paths.devices, async () => ({ items: [...twins.all].map(view) }));
  app.get<{ Params: { device: string } }>(paths.device, async ({ params }) => view(twins.named(params.device)));
  app.get<{ Params: { device: string; property: string } }>(paths.property, async ({ params }) => {
    const found = reportOf(twins.named(params.device)).properties.find(({ name }) => name === params.property);
    if (!found) throw new Fault("PROPERTY_UNKNOWN", `${params.device} has no property ${params.property}`);
    return found;
  });
  app.put<{ Params: { device: string; property: string } }>(paths.desired, async ({ params, body }, reply) => {
    const wished = parse(desiredBody, body, "the request", "MESSAGE_INVALID");
    const outcome = await wish({ twins, clock }, { ...params, ...wished }, signal);
    // Accepted is durable in every case; 202 says that the device has not confirmed yet.
    return reply.code(outcome.state === "applied" ? 200 : outcome.state === "pending" ? 202 : 422).send(outcome);
  });
  app.post<{ Params: { device: string; command: string } }>(paths.command, async ({ params, body }, reply) => {
    const { id = randomUUID(), ...rest } = parse(commandBody, body ?? {}, "the request", "MESSAGE_INVALID");
    const result = await commands.run({ ...params, ...rest, id }, signal);
    return reply.code(result.ok ? 200 : 422).send({ id, ...result });
  });
}

function view(twin: DeviceTwin): object {
  const { device, declared } = twin;
  const report = reportOf(twin);
  const specs = new Map(device?.properties.map((spec) => [spec.name, spec]));
  return {
    ...report,
    model: modelOf(declared.spec),
    properties: report.properties.map((property) => {
      const { type, access, unit, minimum, maximum } = specs.get(property.name) ?? {};
      return { ...property, type, access, unit, minimum, maximum };
    }),
  };
}
