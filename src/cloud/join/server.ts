import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { type HttpServer, openHttp } from "#std/http";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import { parse } from "#std/schema";
import { type AuthorityAnswer, authorityPath, type JoinAnswer, joinPath, joinRequest, parseToken } from "#wire/join";
import type { Nodes } from "../nodes.ts";
import type { Authority } from "./authority.ts";
import { alsoPlain } from "./plain.ts";
import type { Tokens } from "./tokens.ts";

export interface JoinOptions extends Endpoint {
  readonly authority: Authority;
  readonly tokens: Tokens;
  readonly nodes: Pick<Nodes, "joined">;
  /** Where nodes dial, told to those who joined. */
  readonly tunnelUrl: string;
  readonly log: Log;
  readonly clock: Clock;
}

const BODY_LIMIT_BYTES = 32 * 1024;
/** Tries per second from everywhere together, and how many may come at once. Secrets have 256 bits; this saves work. */
const TRIES_PER_SECOND = 10;
const MOST_TRIES = 50;

/** Opens the door where machines become nodes. */
export async function openJoin(options: JoinOptions): Promise<HttpServer> {
  const { host, port, authority, tokens, nodes, tunnelUrl, clock } = options;
  const log = options.log.with({ part: "join" });
  const admit = bucket(TRIES_PER_SECOND, MOST_TRIES, clock);

  async function join(body: unknown): Promise<JoinAnswer> {
    const { token: text, request } = parse(joinRequest, body, "the request", "MESSAGE_INVALID");
    const token = parseToken(text);
    // Certified before the token is used up, so that a broken request does not cost the token.
    const certificate = await authority.certify(tokens.check(token), request);
    const node = tokens.redeem(token);
    nodes.joined(node, clock.now());
    log.info("node certificate issued", { node, token: token.id });
    return { node, certificate, authority: authority.certificate, tunnel: tunnelUrl };
  }

  const server = await openHttp(
    { what: "the join door", host, port, tls: authority.server, bodyLimitBytes: BODY_LIMIT_BYTES, log },
    (app) => {
      app.get(authorityPath, () => answerOf(authority));
      app.post(joinPath, async ({ body, ip }) => {
        if (!admit()) throw new Fault("OVERLOADED", "too many try to join at once");
        try {
          return await join(body);
        } catch (error) {
          log.warn("join refused", { address: ip, error });
          throw error;
        }
      });
    },
  );
  alsoPlain(server.server, authorityPath, JSON.stringify(answerOf(authority)));
  return server;
}

function answerOf({ certificate }: Authority): AuthorityAnswer {
  return { authority: certificate };
}

/** Lets `most` through at once and `perSecond` in the long run. */
function bucket(perSecond: number, most: number, clock: Clock): () => boolean {
  let left = most;
  let at = clock.monotonic();
  return () => {
    const now = clock.monotonic();
    left = Math.min(most, left + ((now - at) / 1000) * perSecond);
    at = now;
    if (left < 1) return false;
    left--;
    return true;
  };
}
