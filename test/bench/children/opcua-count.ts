/** What the two clients of the OPC UA benchmark tell their parent. */
import type { Usage } from "../child.ts";

export interface OpcuaLoad {
  readonly port: number;
  readonly count: number;
  readonly everyMs: number;
  /** Sign and encrypt, with the best policy. */
  readonly security: boolean;
}

export interface CountedUsage extends Usage {
  readonly values: number;
}

/** As `serveParent`, with the values that were received so far. */
export function serveCount(values: () => number, end: () => Promise<void>): void {
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    const usage: CountedUsage = { cpuUs: user + system, rssBytes: process.memoryUsage.rss(), values: values() };
    process.send?.(usage);
  });
  process.on("disconnect", () => {
    end().finally(() => process.exit(0));
  });
  process.send?.({});
}
