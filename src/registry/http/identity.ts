/** Finds out who sends a request: by the certificate of the connection, or by a bearer token. */
import type { TLSSocket } from "node:tls";
import { type Token, userOfSubject, userOfToken } from "../access.ts";
import type { User } from "../api.ts";

/** What a connection proved, and until when. */
interface Proof {
  readonly user: User | undefined;
  readonly untilMs: number;
}

const proofs = new WeakMap<object, Proof>();

/**
 * The user of a request; undefined for nobody. A token decides when there is one, as upstream.
 * @param connection - the connection as an object that lives as long as it does; its certificate is read once.
 */
export function userOf(
  connection: object,
  socket: TLSSocket,
  authorization: string | undefined,
  tokens: readonly Token[],
  nowMs: number,
): User | undefined {
  if (authorization !== undefined) {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    return token === undefined ? undefined : userOfToken(token, tokens);
  }
  const known = proofs.get(connection);
  const proof = known ?? proofOf(socket);
  if (!known) proofs.set(connection, proof);
  return nowMs < proof.untilMs ? proof.user : undefined;
}

/** A certificate counts when the TLS layer found it signed by our authority, in its time, and meant for clients. */
function proofOf(socket: TLSSocket): Proof {
  const nobody = { user: undefined, untilMs: Number.POSITIVE_INFINITY };
  if (!socket.authorized) return nobody;
  const { subject, valid_to } = socket.getPeerCertificate();
  if (!subject) return nobody;
  return { user: userOfSubject(subject), untilMs: Date.parse(valid_to) };
}
