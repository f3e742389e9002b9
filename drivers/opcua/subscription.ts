import { Fault } from "#std/fault";
import { abortable } from "./dial.ts";
import type { Line } from "./line.ts";
import { type Item, pieces } from "./plan.ts";
import { partOf } from "./read.ts";
import type { OpcuaAddress, OpcuaStation } from "./schema.ts";
import { follow } from "./sequence.ts";
import type { ClientSubscription, NodeId, RawSession } from "./stack.ts";
import { faultOf, severityOf } from "./status.ts";
import type { DataValueLike } from "./types.ts";

/** The numbers of the triggers on the wire. **Source:** OPC 10000-4 v1.05, §7.22.2. */
const triggers = { status: 0, value: 1, timestamp: 2 } as const;
/** **Source:** OPC 10000-4 v1.05, §7.22.2. */
const DEADBAND = { none: 0, absolute: 1, percent: 2 } as const;
/** Kept in the server until they are asked for: without them no message could be repeated. */
const CLOSE_MS = 1_000;

/** What a subscription tells. */
export interface Listener {
  /** One value of the item at `index`. */
  changed(index: number, value: DataValueLike): void;
  /** All values of a message were told. */
  flush(): void;
  /** Messages are missing: what was told last may be out of date. */
  gap(): void;
}

/** A subscription in the server. Disposing it deletes it there. */
export interface Subscription extends AsyncDisposable {
  /** Why items are not watched, by index. */
  readonly refused: ReadonlyMap<number, Fault>;
  /** How often the server really sends. */
  readonly publishingMs: number;
}

/** Subscribes to items, in as few requests as the server takes. */
export async function openSubscription(
  line: Line,
  station: OpcuaStation,
  items: readonly Item[],
  listener: Listener,
  signal: AbortSignal,
): Promise<Subscription> {
  const subscription = await line.ask(
    () =>
      line.session.createSubscription2({
        requestedPublishingInterval: station.publishingIntervalMs,
        requestedMaxKeepAliveCount: station.keepAliveCount,
        requestedLifetimeCount: station.lifetimeCount,
        maxNotificationsPerPublish: station.maxNotifications,
        publishingEnabled: true,
        priority: 1,
      }),
    signal,
  );
  listen(line, subscription, items.length, listener);
  try {
    const refused = await monitor(line, subscription.subscriptionId, items, station, signal);
    return {
      refused,
      publishingMs: subscription.publishingInterval,
      [Symbol.asyncDispose]: () => close(subscription),
    };
  } catch (error) {
    await close(subscription);
    throw error;
  }
}

/** One notification message of a server, as the stack gives it. */
interface Message {
  readonly sequenceNumber: number;
  readonly notificationData?: readonly (Notification | null)[] | null;
}
interface Notification {
  readonly status?: { readonly name: string };
  readonly monitoredItems?: readonly { readonly clientHandle: number; readonly value: DataValueLike }[] | null;
}

/**
 * Takes the messages as they come, before the stack spreads them over one object per item: 10,000 items need none, and
 * the numbers of the messages show what is missing.
 */
function listen(line: Line, subscription: ClientSubscription, count: number, listener: Listener): void {
  let expected: number | undefined;
  const take = ({ sequenceNumber, notificationData }: Message) => {
    const data = notificationData ?? [];
    const { next, isGap, isOld } = follow(expected, { sequenceNumber, isKeepAlive: data.length === 0 });
    expected = next;
    if (isGap) listener.gap();
    if (isOld) return;
    for (const notification of data) {
      if (notification?.status) line.lose(`ended the subscription (${notification.status.name})`);
      for (const { clientHandle, value } of notification?.monitoredItems ?? []) {
        if (clientHandle >= 1 && clientHandle <= count) listener.changed(clientHandle - 1, value);
      }
    }
    listener.flush();
  };
  subscription.on("raw_notification", (message) => {
    const structures = (message.notificationData ?? []).flatMap(structuresOf);
    if (structures.length === 0) return take(message as Message);
    // Structures of the server's own types are decoded by their definition, which may have to be asked for first.
    line.stack.promoteOpaqueStructure(line.session, structures).then(
      () => take(message as Message),
      (cause) => line.lose("sends structures that can not be decoded", cause),
    );
  });
  subscription.on("terminated", () => {
    if (!closing.has(subscription)) line.lose("ended the subscription");
  });
  subscription.on("error", (cause) => line.lose("broke the subscription", cause));
}

const EXTENSION_OBJECT = 22;

function structuresOf(notification: unknown): { value: never }[] {
  const { monitoredItems } = notification as Notification;
  const values = (monitoredItems ?? []).map(({ value }) => value);
  return values.filter(({ value }) => value?.dataType === EXTENSION_OBJECT) as unknown as { value: never }[];
}

/** Subscriptions that we end ourselves. */
const closing = new WeakSet<ClientSubscription>();

async function close(subscription: ClientSubscription): Promise<void> {
  if (closing.has(subscription)) return;
  closing.add(subscription);
  const patience = AbortSignal.timeout(CLOSE_MS);
  await abortable(patience, () => subscription.terminate()).catch(() => undefined);
}

async function monitor(
  line: Line,
  subscriptionId: number,
  items: readonly Item[],
  station: OpcuaStation,
  signal: AbortSignal,
): Promise<Map<number, Fault>> {
  const refused = new Map<number, Fault>();
  const wanted: { readonly index: number; readonly item: Item; readonly node: NodeId }[] = [];
  for (const [index, item] of items.entries()) {
    if (item.node instanceof Fault) refused.set(index, item.node);
    else wanted.push({ index, item, node: item.node });
  }
  for (const batch of pieces(wanted, () => line.limits.perMonitor)) {
    const itemsToCreate = batch.map(({ index, item, node }) => ({
      itemToMonitor: partOf(node, item),
      monitoringMode: line.stack.MonitoringMode.Reporting,
      requestedParameters: parametersOf(line, item, index + 1, station),
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
      const status = results?.[i]?.statusCode;
      if (status && severityOf(status) !== "bad") continue;
      const { nodeId } = item.point.address;
      refused.set(index, status ? faultOf(status, nodeId) : new Fault("ANSWER_INVALID", `${nodeId}: no answer`));
    }
  }
  return refused;
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
