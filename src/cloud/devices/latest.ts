import type { DeviceReport } from "#devices/status";

/** Reports kept, also for devices that the cluster has not told us of yet. */
const MOST_REPORTS = 100_000;

/** Which device, and on which node. */
export interface Place {
  readonly node: string;
  readonly namespace: string;
  readonly name: string;
}

/** The last report of each node on each device; of too many, the one that was not renewed for the longest goes. */
export class LatestReports {
  readonly #reports = new Map<string, DeviceReport>();

  put(node: string, report: DeviceReport): void {
    const { namespace, name } = report;
    const key = keyOf({ node, namespace, name });
    this.#reports.delete(key);
    this.#reports.set(key, report);
    for (const oldest of this.#reports.keys()) {
      if (this.#reports.size <= MOST_REPORTS) return;
      this.#reports.delete(oldest);
    }
  }

  /** What this node says of this very device; what another one said, or of a device before it, does not count. */
  get(place: Place, uid: string): DeviceReport | undefined {
    const report = this.#reports.get(keyOf(place));
    return report?.uid === uid ? report : undefined;
  }

  delete(place: Place): void {
    this.#reports.delete(keyOf(place));
  }
}

function keyOf({ node, namespace, name }: Place): string {
  return `${node}/${namespace}/${name}`;
}
