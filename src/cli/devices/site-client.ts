/** Asks a node at a site over its HTTP API. */
import { Fault, type FaultCode, faults } from "#std/fault";
import { type HttpAnswer, type HttpRequest, openHttpClient } from "#std/undici";

/** Where a node listens unless it is told otherwise. */
const LOCAL_SITE = "http://127.0.0.1:7080";

/** The option by which commands about a node find it. */
export const siteOption = {
  help: "The node's HTTP API.",
  value: "URL",
  default: LOCAL_SITE,
} as const;

/** An open way to a node. */
export interface SiteClient extends AsyncDisposable {
  readonly url: string;
  /** Asks and parses the answer. @throws {Fault} `SITE_UNREACHABLE`, or what the node's problem says. */
  ask(request: HttpRequest, signal: AbortSignal): Promise<unknown>;
  /** Asks for lines of JSON and yields them as they come. @throws {Fault} as `ask`. */
  lines(request: HttpRequest, signal: AbortSignal): AsyncIterable<unknown>;
}

/** Opens a client. @throws {Fault} `USAGE_INVALID` when the URL is none. */
export function openSite(url: string): SiteClient {
  if (!/^https?:\/\/[^/]+\/?$/.test(url))
    throw new Fault("USAGE_INVALID", `--site ${url} is no URL of a site`, { hint: `Such as ${LOCAL_SITE}` });
  const client = openHttpClient({ url, connections: 8 });

  async function request(it: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    try {
      return await client.request(it, signal);
    } catch (cause) {
      throw unreachable(url, cause, signal);
    }
  }

  return {
    url,
    async ask(it, signal) {
      const answer = await request(it, signal);
      const text = await answer.text().catch((cause: unknown) => {
        throw unreachable(url, cause, signal);
      });
      return resultOf(url, answer.status, text);
    },
    async *lines(it, signal) {
      const answer = await request({ silenceMs: 0, ...it }, signal);
      if (answer.status >= 400) resultOf(url, answer.status, await answer.text());
      let rest = "";
      const decoder = new TextDecoder();
      try {
        for await (const chunk of answer.body) {
          const [last = "", ...whole] = (rest + decoder.decode(chunk, { stream: true })).split("\n").reverse();
          rest = last;
          for (const line of whole.reverse()) if (line !== "") yield parseBody(url, line);
        }
      } catch (cause) {
        throw Fault.is(cause) ? cause : unreachable(url, cause, signal);
      }
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** Path of a device, or of something below it. */
export function devicePath(name: string, ...more: readonly string[]): string {
  return ["/api/v1/devices", ...[name, ...more].map(encodeURIComponent)].join("/");
}

function unreachable(url: string, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Fault("SITE_UNREACHABLE", `${url} does not answer: ${message}`, { cause });
}

function resultOf(url: string, status: number, text: string): unknown {
  const body = parseBody(url, text);
  // 422 is an answer, not a fault: the device refused.
  if (status < 400 || status === 422) return body;
  const { title = `${url} answered ${status}`, code } = body as { title?: string; code?: string };
  if (code === "DEVICE_UNKNOWN")
    throw new Fault(code, `${title} (${url})`, {
      hint: "Why the cloud does not give it to its node: edgeadm device get NAME. Another node is asked with --site.",
    });
  throw new Fault(code !== undefined && Object.hasOwn(faults, code) ? (code as FaultCode) : "SITE_UNREACHABLE", title);
}

function parseBody(url: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault("SITE_UNREACHABLE", `${url} is no edge API: it answers ${text.slice(0, 40)}`, { cause });
  }
}
