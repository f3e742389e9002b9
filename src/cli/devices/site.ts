/** Devices as a node at a site knows them, asked over its HTTP API: it works while the cloud is away. */
import type { DeviceReport } from "#devices/status";
import type { Clock } from "#std/clock";
import { deadline } from "#std/deadline";
import { Fault, type FaultCode, faults } from "#std/fault";
import { type HttpClient, type HttpRequest, openHttpClient } from "#std/undici";
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
  if (!/^https?:\/\/[^/]+\/?$/.test(url))
    throw new Fault("USAGE_INVALID", `--site ${url} is no URL of a site`, { hint: "Such as http://127.0.0.1:7080" });
  const client = openHttpClient({ url, connections: 8 });

  async function list(signal: AbortSignal): Promise<readonly DeviceView[]> {
    const { items } = (await ask(client, url, { method: "GET", path: BASE }, signal)) as { items: readonly Answered[] };
    return items.map(viewOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  async function get(name: string, signal: AbortSignal): Promise<DeviceView> {
    const path = `${BASE}/${encodeURIComponent(name)}`;
    return viewOf((await ask(client, url, { method: "GET", path }, signal)) as Answered);
  }
  async function wishOne(device: string, wish: Wish, waitMs: number, signal: AbortSignal): Promise<Outcome> {
    const { property, value } = wish;
    const path = `${BASE}/${encodeURIComponent(device)}/desired/${encodeURIComponent(property)}`;
    const headers = { "content-type": "application/json" };
    using limit = deadline(Math.max(LEAST_WAIT_MS, waitMs), signal);
    try {
      const request = { method: "PUT", path, headers, body: JSON.stringify({ value }) } as const;
      const answer = (await ask(client, url, request, limit.signal)) as Outcome;
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

/** Asks the node. @throws {Fault} `SITE_UNREACHABLE`, or what its problem says. */
async function ask(client: HttpClient, url: string, request: HttpRequest, signal: AbortSignal): Promise<unknown> {
  let status: number;
  let text: string;
  try {
    const answer = await client.request(request, signal);
    status = answer.status;
    text = await answer.text();
  } catch (cause) {
    signal.throwIfAborted();
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("SITE_UNREACHABLE", `${url} does not answer: ${message}`, { cause });
  }
  const body = parseBody(url, text);
  // 422 is an answer, not a fault: the device refused the wish.
  if (status < 400 || status === 422) return body;
  const { title = `${url} answered ${status}`, code } = body as { title?: string; code?: string };
  throw new Fault(code !== undefined && Object.hasOwn(faults, code) ? (code as FaultCode) : "SITE_UNREACHABLE", title);
}

function parseBody(url: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault("SITE_UNREACHABLE", `${url} is no edge API: it answers ${text.slice(0, 40)}`, { cause });
  }
}

function viewOf({ properties, uid: _, ...device }: Answered): DeviceView {
  return { ...device, properties: properties.map(({ reported, ...rest }) => ({ ...rest, value: reported })) };
}
