import { Fault } from "#std/fault";
import { z } from "#std/schema";

/**
 * How a machine becomes a node. It holds a token that somebody brought by hand; in it stands the fingerprint of the
 * cloud's authority. The machine asks `GET authorityPath` without trust, compares, and from then on trusts that
 * authority alone. It sends the token and a request for its key to `POST joinPath` and gets its certificate. The key
 * never travels.
 */
export const joinPath = "/v1/join";
export const authorityPath = "/v1/authority";

/** The answer of `GET authorityPath`. */
export const authorityAnswer = z.object({
  /** Certificate of the authority, PEM. */
  authority: z.string().max(16_384),
});
export type AuthorityAnswer = z.infer<typeof authorityAnswer>;

/** The body of `POST joinPath`. */
export const joinRequest = z.strictObject({
  token: z.string().min(1).max(512),
  /** Certificate request (PKCS #10), PEM. Its subject does not matter: who the node is says the token. */
  request: z.string().min(1).max(16_384),
});
export type JoinRequest = z.infer<typeof joinRequest>;

/** The answer of `POST joinPath`. */
export const joinAnswer = z.object({
  /** Name of the node: the common name of its certificate. */
  node: z.string(),
  /** Certificate of the node, PEM. */
  certificate: z.string(),
  /** Certificate of the authority, PEM, as before. */
  authority: z.string(),
  /** Where to dial from now on, such as `wss://cloud.example.com:7443`. */
  tunnel: z.string(),
});
export type JoinAnswer = z.infer<typeof joinAnswer>;

/** A token taken apart. */
export interface JoinToken {
  /** Names the token in lists and logs. */
  readonly id: string;
  /** 256 random bits, base64url. */
  readonly secret: string;
  /** SHA-256 of the authority's certificate (DER), lower-case hex. */
  readonly fingerprint: string;
}

const pattern = /^skerry-join\.([0-9a-f]{12})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})$/;

/** The token as people copy it. */
export function formatToken({ id, secret, fingerprint }: JoinToken): string {
  return `skerry-join.${id}.${secret}.${fingerprint}`;
}

/** @throws {Fault} `TOKEN_INVALID` when the text is no token. The message does not repeat it: it is a secret. */
export function parseToken(text: string): JoinToken {
  const [, id, secret, fingerprint] = pattern.exec(text.trim()) ?? [];
  if (id === undefined || secret === undefined || fingerprint === undefined)
    throw new Fault("TOKEN_INVALID", "the text is not a join token: it should begin with skerry-join and be whole");
  return { id, secret, fingerprint };
}
