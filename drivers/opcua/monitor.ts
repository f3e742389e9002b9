/** Items that a server watches for us: made, and taken back. */
import { Fault } from "#std/fault";
import type { Line } from "./line.ts";
import { type Item, pieces } from "./plan.ts";
import { partOf } from "./read.ts";
import type { OpcuaAddress, OpcuaStation } from "./schema.ts";
import type { NodeId, RawSession } from "./stack.ts";
import { faultOf, severityOf } from "./status.ts";

/** The numbers of the triggers on the wire. **Source:** OPC 10000-4 v1.05, §7.22.2. */
const triggers = { status: 0, value: 1, timestamp: 2 } as const;
/** **Source:** OPC 10000-4 v1.05, §7.22.2. */
const DEADBAND = { none: 0, absolute: 1, percent: 2 } as const;

/** What became of items that were to be watched. */
export interface Monitored {
  /** Why items are not watched, by index. */
  readonly refused: ReadonlyMap<number, Fault>;
  /** Items for which the server has no room: they can be read, but are not watched. */
  readonly unwatched: readonly number[];
  /** The server's numbers of those that are. */
  readonly ids: readonly number[];
}

/** Makes a subscription watch items. The item at index i gets the client handle `first + i`. */
export async function monitor(
  line: Line,
  subscriptionId: number,
  {
    items,
    station,
    first,
  }: { readonly items: readonly Item[]; readonly station: OpcuaStation; readonly first: number },
  signal: AbortSignal,
): Promise<Monitored> {
  const refused = new Map<number, Fault>();
  const unwatched: number[] = [];
  const ids: number[] = [];
  const wanted: { readonly index: number; readonly item: Item; readonly node: NodeId }[] = [];
  for (const [index, item] of items.entries()) {
    if (item.node instanceof Fault) refused.set(index, item.node);
    else wanted.push({ index, item, node: item.node });
  }
  for (const batch of pieces(wanted, () => line.limits.perMonitor)) {
    const itemsToCreate = batch.map(({ index, item, node }) => ({
      itemToMonitor: partOf(node, item),
      monitoringMode: line.stack.MonitoringMode.Reporting,
      requestedParameters: parametersOf(line, item, first + index, station),
    }));
    const { results } = await line.ask(
      () =>
        (line.session as RawSession).createMonitoredItems({
          subscriptionId,
          timestampsToReturn: line.stack.TimestampsToReturn.Both,
          itemsToCreate,
        }),
      signal,
    );
    for (const [i, { index, item }] of batch.entries()) {
      const result = results?.[i];
      const status = result?.statusCode;
      if (status && severityOf(status) !== "bad") {
        ids.push(result.monitoredItemId);
        continue;
      }
      const { nodeId } = item.point.address;
      if (status?.name.startsWith("BadTooManyMonitoredItems")) unwatched.push(index);
      else refused.set(index, status ? faultOf(status, nodeId) : new Fault("ANSWER_INVALID", `${nodeId}: no answer`));
    }
  }
  return { refused, unwatched, ids };
}

/** Takes items back. Nobody minds when that fails: the server forgets them with the session. */
export async function forget(
  line: Line,
  subscriptionId: number,
  ids: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  for (const monitoredItemIds of pieces(ids, () => line.limits.perMonitor)) {
    const call = () =>
      (line.session as RawSession).deleteMonitoredItems({ subscriptionId, monitoredItemIds: [...monitoredItemIds] });
    await line.ask(call, signal).catch(() => undefined);
  }
}

function parametersOf({ stack }: Line, { point }: Item, clientHandle: number, station: OpcuaStation) {
  const { samplingMs, queueSize, discardOldest } = point.address;
  const samplingInterval = samplingMs ?? point.everyMs ?? station.publishingIntervalMs;
  return { clientHandle, samplingInterval, queueSize, discardOldest, filter: filterOf(stack, point.address) };
}

/** No filter is the same as "value changed, no dead band", and servers without filters take it. */
function filterOf({ DataChangeFilter }: Line["stack"], { trigger, deadband }: OpcuaAddress) {
  if (trigger === "value" && deadband === undefined) return null;
  const [deadbandType, deadbandValue] =
    deadband === undefined
      ? [DEADBAND.none, 0]
      : "absolute" in deadband
        ? [DEADBAND.absolute, deadband.absolute]
        : [DEADBAND.percent, deadband.percent];
  return new DataChangeFilter({ trigger: triggers[trigger] as number, deadbandType, deadbandValue });
}
