import { deadline } from "#std/deadline";
import { Fault } from "#std/fault";
import { describe } from "./certificate.ts";
import { choose, isPasswordBare, offersOf, type Presented, presentedBy } from "./endpoint.ts";
import type { Identity } from "./identity.ts";
import type { OpcuaLink } from "./schema.ts";
import { type ClientSession, type EndpointDescription, type OPCUAClient, refusalOf, type Stack } from "./stack.ts";
import type { TrustStore } from "./trust.ts";
import { kindOf, stripped, userAdvice, userOf } from "./user.ts";

/** What a dial needs besides the link. */
export interface DialPorts {
  readonly stack: Stack;
  readonly identity: Identity;
  readonly trust: TrustStore;
  /** A ping after this much idleness; an answer of any kind counts as one. */
  readonly pingMs: number;
}

/** A session that was activated; who holds it closes it with `hangUp`. */
export interface Dialled {
  readonly client: OPCUAClient;
  readonly session: ClientSession;
}

/** One message of a server, at most: far above what 10,000 values need. The peers' libraries had no limit and a CVE. */
const TRANSPORT = { maxMessageSize: 16 * 2 ** 20, maxChunkCount: 1024, receiveBufferSize: 65_536 };
/** The server forgets the session after so long a silence; longer than any healing takes (see `line.ts`). */
const SESSION_MS = 60_000;
/** After this time without an answer the stack gives a request up, whether or not somebody still waits. */
const TRANSACTION_MS = 15_000;
/** Waiting for a goodbye. */
const CLOSE_MS = 1_000;

/**
 * Asks a server what it offers and which certificate it shows. Nothing secret is sent.
 * @throws {Fault} `LINK_LOST` when nobody is there.
 */
export async function discover(
  { stack, identity }: Pick<DialPorts, "stack" | "identity">,
  { endpoint }: OpcuaLink,
  signal: AbortSignal,
): Promise<EndpointDescription[]> {
  const client = newClient(stack, identity, {});
  try {
    return await abortable(signal, async () => {
      await client.connect(endpoint);
      return await client.getEndpoints();
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw Fault.is(cause) ? cause : absent(cause, endpoint);
  } finally {
    void hangUp(client);
  }
}

/**
 * Opens a session with the server that the link pins or that somebody accepted.
 * @throws {Fault} `LINK_LOST` when nobody is there; `CONFIG_INVALID` when the server is not trusted, does not offer
 * what the link wants, or refuses the user.
 */
export async function dial(link: OpcuaLink, ports: DialPorts, signal: AbortSignal): Promise<Dialled> {
  const { stack } = ports;
  const { endpoint: url, security } = link;
  const user = await userOf(link, stack);
  const endpoints = await discover(ports, link, signal);
  const chosen = choose(endpoints, security, url);
  if (security.mode !== "None") await mustTrust(link, presentedBy(chosen, endpoints, url), ports.trust);
  const pinned = security.mode === "None" ? {} : pinning(stack, chosen);
  const client = newClient(stack, ports.identity, { ...keeping(chosen, ports.pingMs), ...pinned });
  try {
    const session = await abortable(signal, async () => {
      await client.connect(url);
      mustHidePassword(client, link, chosen);
      return await client.createSession(user);
    });
    return { client, session };
  } catch (cause) {
    void hangUp(client);
    signal.throwIfAborted();
    throw Fault.is(cause) ? cause : dialFault(cause, { link, chosen, identity: ports.identity });
  }
}

/**
 * Ends a client and its session; resolves within two seconds, although the server may say nothing. The stack waits for
 * the goodbye of a session for ever when its connection is broken, and goes on reconnecting meanwhile; here it may not.
 */
export async function hangUp(client: OPCUAClient, session?: ClientSession): Promise<void> {
  if (session) {
    // Subscriptions that outlive their session pile up in servers that have no limit (CVE-2022-24375).
    const goodbye = session.close(true).catch(() => undefined);
    if (!client.isReconnecting) await within(CLOSE_MS, goodbye);
    (session as { stopKeepAliveManager?: () => void }).stopKeepAliveManager?.();
  }
  Object.assign(client, { keepPendingSessionsOnDisconnect: true });
  await within(CLOSE_MS, client.disconnect());
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  using limit = deadline(ms, new AbortController().signal);
  await abortable(limit.signal, () => work).catch(() => undefined);
}

/** Waits for the work or the signal, whichever comes first. */
export async function abortable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function newClient(
  stack: Stack,
  { certificate, key, applicationUri }: Identity,
  options: Parameters<typeof stack.OPCUAClient.create>[0],
): OPCUAClient {
  const own = stack.crypto_utils.convertPEMtoDER(certificate);
  const privateKey = stack.crypto_utils.makePrivateKeyFromPem(key);
  return stack.OPCUAClient.create({
    applicationName: "Skerry",
    applicationUri,
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 0, initialDelay: 250, maxDelay: 1_000 },
    requestedSessionTimeout: SESSION_MS,
    defaultTransactionTimeout: TRANSACTION_MS,
    transportSettings: TRANSPORT,
    certificateKeyPairProvider: {
      getCertificate: () => own,
      getCertificateChain: () => [own],
      getPrivateKey: () => privateKey,
    },
    ...options,
  });
}

/** A session that is kept: the stack may try again to connect, and pings when nothing else is said. */
function keeping({ securityMode, securityPolicyUri }: EndpointDescription, pingMs: number) {
  return {
    connectionStrategy: { maxRetry: 1, initialDelay: 250, maxDelay: 1_000 },
    keepSessionAlive: true,
    keepAliveInterval: pingMs,
    securityMode,
    ...(securityPolicyUri ? { securityPolicy: securityPolicyUri } : {}),
  };
}

/** Only the certificate that was decided about, for the life of the client. */
export function pinning({ StatusCodes }: Stack, { serverCertificate }: EndpointDescription) {
  const status = (shown: Buffer | Buffer[]) => {
    const isSame = serverCertificate.equals(Array.isArray(shown) ? Buffer.concat(shown) : shown);
    return isSame ? StatusCodes.Good : StatusCodes.BadCertificateUntrusted;
  };
  return {
    serverCertificate,
    // When the server's certificate changes during a reconnect the stack fetches the new one; here is where it is asked
    // whether that is right, and it is not.
    clientCertificateManager: {
      referenceCounter: 0,
      initialize: async () => {},
      dispose: async () => {},
      checkCertificate: async (shown: Buffer | Buffer[]) => status(shown),
      getTrustStatus: async (shown: Buffer) => status(shown),
      verifyCertificate: async (shown: Buffer | Buffer[]) => status(shown).name,
      trustCertificate: async () => {},
      rejectCertificate: async () => {},
      addIssuer: async () => undefined,
      addRevocationList: async () => undefined,
    },
  };
}

async function mustTrust({ endpoint, trust }: OpcuaLink, shown: Presented, store: TrustStore): Promise<void> {
  const { fingerprint, thumbprint, subject, notAfter } = shown;
  const who = `${subject}, SHA-256 ${fingerprint}, SHA-1 ${thumbprint}, valid until ${notAfter}`;
  if (trust) {
    if (trust.fingerprint === fingerprint) return;
    throw new Fault(
      "CONFIG_INVALID",
      `link.trust.fingerprint: ${endpoint} shows another certificate than ${trust.fingerprint}: ${who}`,
      { presented: shown },
    );
  }
  const decision = await store.find(endpoint, fingerprint);
  if (decision?.state === "accepted") return;
  const state = decision ? "was rejected" : "is not trusted yet";
  throw new Fault(
    "CONFIG_INVALID",
    `the certificate of ${endpoint} ${state}: ${who}. Compare it with the server's own; accept it with ` +
      "edgeadm device trust NAME, or set link.trust.fingerprint to its SHA-256",
    { presented: shown },
  );
}

/** Looks at what the server says over the secured channel: what it said before could have been forged. */
function mustHidePassword(client: OPCUAClient, link: OpcuaLink, chosen: EndpointDescription): void {
  const { user, security, endpoint } = link;
  if (!user || !("name" in user) || security.insecure) return;
  const authentic = client.findEndpointForSecurity(chosen.securityMode, chosen.securityPolicyUri as never) ?? chosen;
  if (isPasswordBare(authentic))
    throw new Fault("CONFIG_INVALID", `link.security: in mode ${security.mode} ${endpoint} takes passwords in clear`);
}

const refusals = new Set(["BadUserAccessDenied", "BadIdentityTokenRejected", "BadIdentityTokenInvalid"]);

/** What was tried. */
interface Tried {
  readonly link: OpcuaLink;
  readonly chosen: EndpointDescription;
  readonly identity: Identity;
}

/** Why there is no session, and what leads to one. The stack's messages have many lines; the first says what happened. */
function dialFault(cause: unknown, { link, chosen, identity }: Tried): Fault {
  const { endpoint: url } = link;
  const message = messageOf(cause);
  const status = statusOf(cause);
  if (status && refusals.has(status))
    return new Fault("CONFIG_INVALID", `link.user: ${url} says ${status}: ${userAdvice(link)}`, { cause });
  if (/Cannot find (an Endpoint|USERNAME|CERTIFICATE)|user token policy/i.test(message)) {
    const taken = offersOf([chosen]).flatMap(({ users }) => users);
    return new Fault(
      "CONFIG_INVALID",
      `link.user: ${url} does not take ${kindOf(link)}, but ${taken.join(", ") || "nobody"}`,
      { cause },
    );
  }
  if (status === "BadSecurityChecksFailed" || status?.startsWith("BadCertificate")) {
    const { thumbprint, subject } = describe(stripped(identity.certificate));
    return new Fault(
      "LINK_LOST",
      `${url} says ${status}: it may have to trust the certificate of this node first, ${subject}, SHA-1 ${thumbprint}; ` +
        "look for it among those that the server has rejected",
      { cause },
    );
  }
  return absent(cause, url);
}

function absent(cause: unknown, url: string): Fault {
  const message = messageOf(cause);
  const why = statusOf(cause) ?? /\bE[A-Z]{4,}\b/.exec(message)?.[0] ?? message.split("\n")[0];
  return new Fault("LINK_LOST", `nobody answers at ${url} (${why})`, { cause });
}

function statusOf(cause: unknown): string | undefined {
  return refusalOf(cause)?.name ?? /\bBad[A-Z]\w+/.exec(messageOf(cause))?.[0];
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
