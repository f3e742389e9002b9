import { value } from "#devices/value";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { type HttpServer, openHttp, type Routes } from "#std/http";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import type { Metrics } from "#std/metrics";
import { parse, z } from "#std/schema";
import { openApi, paths } from "./openapi.ts";
import { type DeviceTwin, reportOf, type Twins } from "./twins.ts";
import type { UplinkState } from "./uplink.ts";
import { wish } from "./wishes.ts";

/** What the node says of itself. */
export interface NodeState {
  readonly node: string;
  readonly version: string;
  readonly startedAt: number;
  readonly uplink: UplinkState;
  readonly backlog: number;
  readonly devices: number;
  readonly devicesOnline: number;
  /** Values read since the start. */
  readonly values: number;
}

export interface ApiPorts {
  readonly twins: Twins;
  readonly metrics: Metrics;
  readonly node: () => NodeState;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the node stops: waiting answers end then. */
  readonly signal: AbortSignal;
}

const desiredBody = z.strictObject({ value });

/** Serves the edge's HTTP API for applications on this machine: devices, twins, wishes, health, metrics. */
export function openApiServer(endpoint: Endpoint, ports: ApiPorts): Promise<HttpServer> {
  return openHttp({ ...endpoint, what: "the edge API", log: ports.log }, (app) => {
    onlyLocal(app);
    health(app, ports);
    devices(app, ports);
  });
}

/**
 * A page of any web site can send requests to loopback. Its Host header betrays it (DNS rebinding); its writes need a
 * content type that browsers ask leave for first, and nobody gives it.
 */
function onlyLocal(app: Routes): void {
  app.addHook("onRequest", async (request, reply) => {
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    if (!/^(localhost|127(\.\d+){3}|\[::1\])$/.test(host))
      return reply.code(403).send({ status: 403, title: `host ${host} is not this machine` });
    return undefined;
  });
}

function health(app: Routes, { metrics, node }: ApiPorts): void {
  app.get(paths.healthz, async () => ({ status: "ok" }));
  app.get(paths.readyz, async () => ({ status: "ok" }));
  app.get(paths.metrics, async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  app.get(paths.openapi, async () => openApi(node().version));
  app.get(paths.node, async () => node());
}

function devices(app: Routes, { twins, clock, signal }: ApiPorts): void {
  app.get(paths.devices, async () => ({ items: [...twins.all].map(view) }));
  app.get<{ Params: { device: string } }>(paths.device, async ({ params }) => view(twins.named(params.device)));
  app.get<{ Params: { device: string; property: string } }>(paths.property, async ({ params }) => {
    const found = reportOf(twins.named(params.device)).properties.find(({ name }) => name === params.property);
    if (!found) throw new Fault("PROPERTY_UNKNOWN", `${params.device} has no property ${params.property}`);
    return found;
  });
  app.put<{ Params: { device: string; property: string } }>(paths.desired, async ({ params, body }, reply) => {
    const { value } = parse(desiredBody, body, "the request", "MESSAGE_INVALID");
    const outcome = await wish({ twins, clock }, { ...params, value }, signal);
    // Accepted is durable in every case; 202 says that the device has not confirmed yet.
    return reply.code(outcome.state === "applied" ? 200 : outcome.state === "pending" ? 202 : 422).send(outcome);
  });
}

function view(twin: DeviceTwin): object {
  const { device, declared } = twin;
  const report = reportOf(twin);
  const units = new Map(device?.properties.map(({ name, unit }) => [name, unit]));
  return {
    ...report,
    model: modelOf(declared.spec),
    properties: report.properties.map((property) => {
      const unit = units.get(property.name);
      return unit === undefined ? property : { ...property, unit };
    }),
  };
}

function modelOf(spec: unknown): unknown {
  return typeof spec === "object" && spec !== null && "model" in spec ? spec.model : undefined;
}
