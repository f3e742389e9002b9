import type { Clock } from "#std/clock";
import { type HttpServer, openHttp } from "#std/http";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import type { Metrics } from "#std/metrics";
import { parse, z } from "#std/schema";
import type { Reports } from "./devices/reports.ts";
import type { Nodes } from "./nodes.ts";
import { telemetryRoutes } from "./telemetry/routes.ts";
import type { Tunnel } from "./tunnel/server.ts";

export interface ApiOptions extends Endpoint {
  readonly tunnel: Pick<Tunnel, "sessions">;
  readonly nodes: Pick<Nodes, "list">;
  readonly reports: Reports;
  /** Units of a device's properties. */
  readonly units: (namespace: string, device: string) => Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** True when the cloud knows the Devices of the cluster, and its disk takes what the nodes tell. */
  readonly isReady: () => boolean;
  readonly log: Log;
}

const whole = z.coerce.number().int().nonnegative();
const span = z.strictObject({
  sinceMs: whole.optional(),
  untilMs: whole.optional(),
  limit: whole.min(1).max(10_000).optional(),
});

/** Opens the cloud's own HTTP interface: it only tells, and is meant for loopback. */
export async function openApi(options: ApiOptions): Promise<HttpServer> {
  const { host, port, tunnel, nodes, reports, metrics, isReady, units, clock, log } = options;
  return openHttp({ what: "the cloud API", host, port, log }, (app) => {
    app.get("/healthz", () => ({ ok: true, telemetry: reports.sink.isUp ? "kept" : "the engine is away" }));
    app.get("/readyz", (_, reply) => reply.code(isReady() ? 200 : 503).send({ ok: isReady() }));
    app.get("/metrics", async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
    app.get("/v1/nodes", () => ({
      nodes: nodes.list().map((node) => {
        const session = tunnel.sessions.get(node.name);
        const program = session ? { program: session.hello.program } : {};
        return { ...node, connected: session !== undefined, ...program };
      }),
    }));
    telemetryRoutes(app, { reports, units, clock });
    app.get<{ Params: { namespace: string; device: string } }>(
      "/v1/devices/:namespace/:device/history",
      async ({ params: { namespace, device }, query }) => {
        const { sinceMs, untilMs, limit } = parse(span, query, "the query", "MESSAGE_INVALID");
        return {
          rows: await reports.history(namespace, device, {
            ...(sinceMs === undefined ? {} : { sinceMs }),
            ...(untilMs === undefined ? {} : { untilMs }),
            ...(limit === undefined ? {} : { limit }),
          }),
        };
      },
    );
  });
}
