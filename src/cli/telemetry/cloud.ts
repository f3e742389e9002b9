/** Asks a cloud over its HTTP API. */
import { join } from "node:path";
import { Fault, type FaultCode, faults } from "#std/fault";
import { type HttpAnswer, openHttpClient } from "#std/undici";
import { isLocked } from "../lock.ts";
import type { World } from "../world.ts";

/** The option by which commands about telemetry find the cloud. */
export const cloudOption = {
  help: "HTTP API of the cloud. Without it that of run dev on this machine, then http://127.0.0.1:7480.",
  value: "URL",
} as const;

/** The option that names where a device is. */
export const namespaceOption = {
  help: "Namespace of the device.",
  short: "n",
  value: "NAME",
  default: "default",
} as const;

const DEV = "http://127.0.0.1:7090";
const USUAL = "http://127.0.0.1:7480";

type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** An open way to a cloud. Everything throws `CLUSTER_UNREACHABLE`, or what the cloud's problem says. */
export interface CloudClient extends AsyncDisposable {
  get<T>(path: string, parameters: Parameters, signal: AbortSignal): Promise<T>;
  text(path: string, parameters: Parameters, signal: AbortSignal): Promise<string>;
  /** Lines as they come, until the signal aborts. */
  lines(path: string, parameters: Parameters, signal: AbortSignal): AsyncIterable<string>;
}

/** Opens the cloud that is meant. @throws {Fault} `USAGE_INVALID` when the URL is none. */
export function openCloudClient(given: string | undefined, { cwd, root }: Pick<World, "cwd" | "root">): CloudClient {
  const hasDev = [cwd, root].some((folder) => isLocked(join(folder, ".skerry")));
  const url = given ?? (hasDev ? DEV : USUAL);
  if (!/^https?:\/\/[^/]+\/?$/.test(url))
    throw new Fault("USAGE_INVALID", `--cloud ${url} is no URL of a cloud`, { hint: `Such as ${USUAL}` });
  const client = openHttpClient({ url, connections: 2 });

  async function ask(path: string, parameters: Parameters, silenceMs: number, signal: AbortSignal) {
    const query = new URLSearchParams();
    for (const [name, value = []] of Object.entries(parameters))
      for (const text of [value].flat()) query.append(name, text);
    let answer: HttpAnswer;
    try {
      answer = await client.request({ method: "GET", path: `${path}?${query}`, silenceMs }, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new Fault("CLUSTER_UNREACHABLE", `${url} does not answer: ${message}`, {
        cause,
        hint: "Name the cloud's HTTP API with --cloud.",
      });
    }
    if (answer.status >= 400) throw problemOf(url, answer.status, await answer.text());
    return answer;
  }

  async function text(path: string, parameters: Parameters, signal: AbortSignal): Promise<string> {
    return (await ask(path, parameters, 60_000, signal)).text();
  }

  return {
    text,
    get: async (path, parameters, signal) => JSON.parse(await text(path, parameters, signal)),
    async *lines(path, parameters, signal) {
      let rest = "";
      const decoder = new TextDecoder();
      for await (const chunk of (await ask(path, parameters, 0, signal)).body) {
        const lines = `${rest}${decoder.decode(chunk, { stream: true })}`.split("\n");
        rest = lines.pop() ?? "";
        yield* lines.filter((line) => line !== "");
      }
      throw new Fault("CLUSTER_UNREACHABLE", `${url} ended the stream`, {
        hint: "A reader who is too slow is dropped; ask for what was missed with --since.",
      });
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

function problemOf(url: string, status: number, text: string): Fault {
  let problem: { readonly title?: string; readonly code?: string } = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // Whoever answers, it is not a cloud.
  }
  const { title = `${url} answered ${status}, and is no cloud`, code = "" } = problem;
  const isKnown = Object.hasOwn(faults, code);
  // What is wrong with the question came from the command line.
  if (code === "MESSAGE_INVALID") return new Fault("USAGE_INVALID", title);
  return new Fault(isKnown ? (code as FaultCode) : "CLUSTER_UNREACHABLE", title);
}
