import type { DeviceReport } from "#devices/status";

/** Reports kept, also for devices that the cluster has not told us of yet. */
const MOST_REPORTS = 100_000;

/** The last report of each device; when there are too many, the one that was not renewed for the longest goes. */
export class LatestReports {
  readonly #reports = new Map<string, { readonly node: string; readonly report: DeviceReport }>();

  put(node: string, report: DeviceReport): void {
    this.#reports.delete(report.uid);
    this.#reports.set(report.uid, { node, report });
    for (const uid of this.#reports.keys()) {
      if (this.#reports.size <= MOST_REPORTS) return;
      this.#reports.delete(uid);
    }
  }

  /** What this node says of the device; what another one said of it does not count. */
  get(uid: string, node: string): DeviceReport | undefined {
    const found = this.#reports.get(uid);
    return found?.node === node ? found.report : undefined;
  }

  delete(uid: string): void {
    this.#reports.delete(uid);
  }
}
