import { type Metrics, openMetrics } from "#std/metrics";
import type { Controller } from "./devices/controller.ts";
import type { Ownership } from "./devices/ownership.ts";
import type { Reports } from "./devices/reports.ts";
import type { Tunnel } from "./tunnel/server.ts";

interface Measured {
  readonly controller: Controller;
  readonly ownership: Ownership;
  readonly reports: Reports;
  /** Hellos of second machines with the identity of a node that were refused since the start. */
  readonly duplicates: () => number;
}

/** What an operator asks of a cloud. */
export function cloudMetrics(
  tunnel: Pick<Tunnel, "sessions">,
  { controller, ownership, reports, duplicates }: Measured,
): Metrics {
  const metrics = openMetrics();
  metrics.gauge("cloud_nodes_connected", "Nodes that are connected now.", () => tunnel.sessions.size);
  metrics.gauge("cloud_devices", "Devices in the cluster.", () => controller.devices.objects.size);
  metrics.total(
    "cloud_duplicates_total",
    "Times a second machine with the identity of a node was refused.",
    duplicates,
  );
  metrics.gauge(
    "cloud_status_waiting",
    "Devices whose status waits to be looked at.",
    () => controller.statuses.waiting,
  );
  metrics.total("cloud_status_writes_total", "Statuses written.", () => controller.statuses.writes);
  metrics.total("cloud_lists_total", "Times everything was listed.", () => controller.devices.lists);
  metrics.gauge("cloud_telemetry_up", "0 while the engine that keeps telemetry is away.", () =>
    reports.sink.isUp ? 1 : 0,
  );
  metrics.gauge("cloud_telemetry_rows", "Telemetry rows that are kept.", () => reports.rows);
  metrics.total("cloud_telemetry_pruned_total", "Telemetry rows that retention took.", () => reports.counts.pruned);
  metrics.total("cloud_rows_repeated_total", "Rows that came again and were dropped.", () => reports.counts.repeats);
  metrics.total(
    "cloud_rows_missing_total",
    "Rows that nodes dropped and that will never come.",
    () => reports.counts.missing,
  );
  metrics.total(
    "cloud_foreign_total",
    "Rows, gaps and reports of nodes about devices that are not theirs, dropped.",
    () => ownership.refused,
  );
  metrics.gauges("cloud_gaps_total", "Gaps that nodes told of since the start, by reason.", ["reason"], () =>
    [...reports.ledger.totals].map(([reason, value]) => ({ labels: { reason }, value })),
  );
  metrics.gauge("cloud_events_waiting", "Events that wait for the cluster.", () => reports.openEvents);
  metrics.total("cloud_events_dropped_total", "Events that could not be written.", () => reports.counts.eventsDropped);
  return metrics;
}
