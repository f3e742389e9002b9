import { connect } from "node:net";
import { addAbortSignal } from "node:stream";
import { Fault } from "#std/fault";

const PORT = 4222;
/** How every server of NATS begins. **Source:** NATS client protocol, INFO. */
const WORD = "INFO";

/**
 * The servers that greet. The client forgets its socket when a server takes the connection and says nothing: each try
 * would leave one open, and the process could not end. So it is shown only servers that speak.
 * @throws {Fault} `TELEMETRY_UNREACHABLE` when none does.
 */
export async function greeters(urls: readonly string[], timeoutMs: number): Promise<readonly string[]> {
  const asked = await Promise.allSettled(urls.map((url) => greeting(url, timeoutMs)));
  const greeted = urls.filter((_, i) => asked[i]?.status === "fulfilled");
  const refusals = asked.flatMap((it) => (it.status === "rejected" ? [String(it.reason.message)] : []));
  if (greeted.length === 0) throw new Fault("TELEMETRY_UNREACHABLE", refusals.join("; "));
  return greeted;
}

async function greeting(url: string, timeoutMs: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const limit = AbortSignal.timeout(timeoutMs);
  const to = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || PORT };
  const socket = addAbortSignal(limit, connect(to));
  try {
    for await (const bytes of socket as AsyncIterable<Buffer>) {
      if (bytes.toString("latin1", 0, WORD.length) === WORD) return;
      throw new Error("it is no NATS server");
    }
    throw new Error("it closed without a word");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${url} does not greet: ${limit.aborted ? `it said nothing for ${timeoutMs} ms` : why}`, { cause });
  } finally {
    socket.destroy();
  }
}
