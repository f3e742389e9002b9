import type { Connection, Point } from "#devices/driver";
import { readBuildInfo } from "./build-info.ts";
import { callCommand } from "./call.ts";
import type { Line } from "./line.ts";
import { type Item, itemOf } from "./plan.ts";
import { readItems } from "./read.ts";
import type { OpcuaAddress, OpcuaCommand, OpcuaStation } from "./schema.ts";
import type { NodeId } from "./stack.ts";
import { watchItems } from "./watch.ts";
import { type Target, targetOf, writeItem } from "./write.ts";

/** An open session as a connection; owns the line. @param now - milliseconds since the Unix epoch. */
export function openConnection(line: Line, now: () => number): Connection<OpcuaStation, OpcuaAddress, OpcuaCommand> {
  /** By the caller's array of points, then by namespace: many devices of one model share their points. */
  const plans = new WeakMap<readonly Point<OpcuaAddress>[], Map<string, readonly Item[]>>();
  /** What nodes take; asked once. */
  const targets = new Map<string, Target>();

  const itemsOf = (station: OpcuaStation, points: readonly Point<OpcuaAddress>[]): readonly Item[] => {
    const byNamespace = plans.get(points) ?? new Map<string, readonly Item[]>();
    plans.set(points, byNamespace);
    const key = station.namespaceUri ?? "";
    const known = byNamespace.get(key);
    if (known) return known;
    const items = points.map((point) => itemOf(line, station, point));
    byNamespace.set(key, items);
    return items;
  };

  return {
    async read(station, points, signal) {
      signal.throwIfAborted();
      line.lost.throwIfAborted();
      return await readItems(line, itemsOf(station, points), now, signal);
    },

    async write(station, point, raw, signal) {
      const item = itemOf(line, station, point);
      const target = async (node: NodeId, signal: AbortSignal) => {
        const key = node.toString();
        const found = targets.get(key) ?? (await targetOf(line, node, point.address, signal));
        if (targets.size < MOST_TARGETS) targets.set(key, found);
        return found;
      };
      await writeItem(line, item, raw, target, signal);
    },

    describe: (_station, signal) => readBuildInfo(line, signal),

    call: (station, command, args, signal) => callCommand(line, station, command, args, signal),

    watch: (station, points, signal) => watchItems(line, station, itemsOf(station, points), now, signal),

    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };
}

/** Nodes whose types are remembered; beyond it they are asked again at each write. */
const MOST_TARGETS = 10_000;
