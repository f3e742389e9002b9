/** Devices as a node at a site knows them, asked over its HTTP API: it works while the cloud is away. */
import type { DeviceReport } from "#devices/status";
import type { Clock } from "#std/clock";
import { deadline } from "#std/deadline";
import { devicePath, openSite } from "./site-client.ts";
import { type DeviceSource, type DeviceView, type Outcome, outcomeOf, type PropertyView, type Wish } from "./view.ts";

export interface SiteOptions {
  /** Such as `http://127.0.0.1:7080`. */
  readonly url: string;
  readonly clock: Clock;
}

const FOLLOW_MS = 1_000;
/** How long a node may take to accept a wish before it has to say so itself. */
const LEAST_WAIT_MS = 1_000;
const BASE = "/api/v1/devices";

type Answered = Omit<DeviceReport, "properties"> & {
  readonly model: string;
  readonly properties: readonly (PropertyView & { readonly reported?: PropertyView["value"] })[];
};

/** Opens the devices of a site. @throws {Fault} `USAGE_INVALID` when the URL is none. */
export function openSiteDevices({ url, clock }: SiteOptions): DeviceSource {
  const client = openSite(url);

  async function list(signal: AbortSignal): Promise<readonly DeviceView[]> {
    const { items } = (await client.ask({ method: "GET", path: BASE }, signal)) as { items: readonly Answered[] };
    return items.map(viewOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  async function get(name: string, signal: AbortSignal): Promise<DeviceView> {
    const path = devicePath(name);
    return viewOf((await client.ask({ method: "GET", path }, signal)) as Answered);
  }
  async function wishOne(device: string, wish: Wish, waitMs: number, signal: AbortSignal): Promise<Outcome> {
    const { property, value } = wish;
    const path = devicePath(device, "desired", property);
    const headers = { "content-type": "application/json" };
    using limit = deadline(Math.max(LEAST_WAIT_MS, waitMs), signal);
    try {
      const request = { method: "PUT", path, headers, body: JSON.stringify({ value }) } as const;
      const answer = (await client.ask(request, limit.signal)) as Outcome;
      return { ...wish, state: answer.state, ...(answer.reason ? { reason: answer.reason } : {}) };
    } catch (error) {
      if (!limit.expired) throw error;
      // The node answers when the device does; that took too long, so the twin says how far it is.
      const view = await get(device, signal);
      return outcomeOf(
        view.properties.find(({ name }) => name === property),
        wish,
        true,
      );
    }
  }

  return {
    list,
    get,
    wish: (device, wishes, waitMs, signal) =>
      Promise.all(wishes.map((wish) => wishOne(device.name, wish, waitMs, signal))),
    async *follow(signal) {
      for (;;) {
        yield await list(signal);
        await clock.sleep(FOLLOW_MS, signal);
      }
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

function viewOf({ properties, uid: _, ...device }: Answered): DeviceView {
  return { ...device, properties: properties.map(({ reported, ...rest }) => ({ ...rest, value: reported })) };
}
