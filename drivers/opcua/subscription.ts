/**
 * Subscriptions of a session, shared by all who want values at the same rates: small servers have room for ten, and a link
 * may lead to hundreds of devices. Each watcher has a range of client handles in it.
 */
import { Fault } from "#std/fault";
import { abortable } from "./dial.ts";
import type { Line } from "./line.ts";
import { forget, monitor } from "./monitor.ts";
import type { Item } from "./plan.ts";
import type { OpcuaStation } from "./schema.ts";
import { follow } from "./sequence.ts";
import type { ClientSubscription } from "./stack.ts";
import type { DataValueLike } from "./types.ts";

const CLOSE_MS = 1_000;
/** What a server says that has no room for another subscription, or knows none at all. */
const noRoom = new Set(["BadTooManySubscriptions", "BadServiceUnsupported", "BadNotSupported", "BadNotImplemented"]);

/** What a subscription tells. */
export interface Listener {
  /** One value of the item at `index`. */
  changed(index: number, value: DataValueLike): void;
  /** All values of a message were told. */
  flush(): void;
  /** Messages are missing: what was told last may be out of date. */
  gap(): void;
}

/** A watcher's part of a subscription. Disposing it takes its items back, and the subscription with the last of them. */
export interface Subscription extends AsyncDisposable {
  /** Why items are not watched, by index. */
  readonly refused: ReadonlyMap<number, Fault>;
  /** Items for which the server has no room: who wants them has to read them. */
  readonly unwatched: readonly number[];
  /** How often the server really sends. */
  readonly publishingMs: number;
}

/** A subscription in the server, and who uses it. */
interface Shared {
  readonly opening: Promise<ClientSubscription>;
  /** By their handles, ascending. */
  readonly ranges: Range[];
  /** The first handle that nobody had; 0 is none. */
  nextHandle: number;
  users: number;
}

/** Who gets the values of the client handles from `first` on. */
interface Range {
  readonly first: number;
  readonly count: number;
  readonly listener: Listener;
}

/** By session, then by rates. */
const subscriptions = new WeakMap<Line, Map<string, Shared>>();

/** Subscribes to items, in as few requests as the server takes, and in the subscription of others at the same rates. */
export async function openSubscription(
  line: Line,
  station: OpcuaStation,
  items: readonly Item[],
  listener: Listener,
  signal: AbortSignal,
): Promise<Subscription> {
  const shared = sharedOf(line, station);
  shared.users++;
  const range = { first: shared.nextHandle, count: items.length, listener };
  shared.nextHandle += items.length;
  shared.ranges.push(range);
  let ids: readonly number[] = [];
  const leave = async () => {
    const at = shared.ranges.indexOf(range);
    if (at < 0) return;
    shared.ranges.splice(at, 1);
    shared.users--;
    const subscription = await shared.opening.catch(() => undefined);
    if (!subscription) return;
    const patience = AbortSignal.timeout(CLOSE_MS);
    if (shared.users === 0) await close(subscription);
    else if (!line.lost.aborted) await forget(line, subscription.subscriptionId, ids, patience).catch(() => undefined);
  };
  try {
    const { subscriptionId, publishingInterval } = await abortable(signal, () => shared.opening);
    const monitored = await monitor(line, subscriptionId, { items, station, first: range.first }, signal);
    ids = monitored.ids;
    return { ...monitored, publishingMs: publishingInterval, [Symbol.asyncDispose]: leave };
  } catch (error) {
    await leave();
    if (!Fault.is(error) || !noRoom.has(String(error.detail.status))) throw error;
    const unwatched = items.map((_, index) => index);
    return { refused: new Map(), unwatched, publishingMs: station.publishingIntervalMs, [Symbol.asyncDispose]: leave };
  }
}

/** The subscription of a session at the rates of a station; made when there is none. */
function sharedOf(line: Line, station: OpcuaStation): Shared {
  const { publishingIntervalMs, keepAliveCount, lifetimeCount, maxNotifications } = station;
  const known = subscriptions.get(line) ?? new Map<string, Shared>();
  subscriptions.set(line, known);
  const key = `${publishingIntervalMs} ${keepAliveCount} ${lifetimeCount} ${maxNotifications}`;
  const found = known.get(key);
  // One that its last user has left is on its way out.
  if (found && found.users > 0) return found;
  const ranges: Range[] = [];
  const create = () =>
    line.session.createSubscription2({
      requestedPublishingInterval: publishingIntervalMs,
      requestedMaxKeepAliveCount: keepAliveCount,
      requestedLifetimeCount: lifetimeCount,
      maxNotificationsPerPublish: maxNotifications,
      publishingEnabled: true,
      priority: 1,
    });
  // Not with the signal of the first who wants it: the others go on when it ends.
  const opening = line.ask(create, line.lost).then((subscription) => {
    listen(line, subscription, ranges);
    return subscription;
  });
  const shared: Shared = { opening, ranges, nextHandle: 1, users: 0 };
  known.set(key, shared);
  opening.catch(() => {
    if (known.get(key) === shared) known.delete(key);
  });
  return shared;
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
function listen(line: Line, subscription: ClientSubscription, ranges: readonly Range[]): void {
  let expected: number | undefined;
  const take = ({ sequenceNumber, notificationData }: Message) => {
    const data = notificationData ?? [];
    const { next, isGap, isOld } = follow(expected, { sequenceNumber, isKeepAlive: data.length === 0 });
    expected = next;
    if (isGap) for (const { listener } of ranges) listener.gap();
    if (isOld) return;
    const touched = new Set<Listener>();
    let range: Range | undefined;
    for (const notification of data) {
      if (notification?.status) line.lose(`ended the subscription (${notification.status.name})`);
      for (const { clientHandle, value } of notification?.monitoredItems ?? []) {
        // Values of one watcher come in runs.
        if (!range || !isIn(range, clientHandle)) range = ranges.find((it) => isIn(it, clientHandle));
        if (!range) continue;
        range.listener.changed(clientHandle - range.first, value);
        touched.add(range.listener);
      }
    }
    for (const listener of touched) listener.flush();
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

function isIn({ first, count }: Range, handle: number): boolean {
  return handle >= first && handle < first + count;
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
