import { Fault } from "#std/fault";
import { type Certificate, describe } from "./certificate.ts";
import { type Policy, policies, type Security } from "./schema.ts";
import type { EndpointDescription } from "./stack.ts";

const PREFIX = "http://opcfoundation.org/UA/SecurityPolicy#";

/** The numbers of the modes on the wire. **Source:** OPC 10000-4 v1.05, §7.20. */
const modes = { None: 1, Sign: 2, SignAndEncrypt: 3 } as const;
const names = new Map<number, Security["mode"]>(
  Object.entries(modes).map(([name, number]) => [number, name as Security["mode"]]),
);

/** One way that a server offers to be talked to. */
export interface Offer {
  readonly mode: Security["mode"];
  /** Name of the policy; one that we do not speak keeps its name too. */
  readonly policy: string;
  /** How users may show who they are. */
  readonly users: readonly ("anonymous" | "password" | "certificate" | "token")[];
}

/** A server as it shows itself to a stranger. */
export interface Presented extends Certificate {
  readonly endpoint: string;
  readonly endpoints: readonly Offer[];
}

/** From the best to the one that every server has. */
const byStrength: readonly Policy[] = ["Aes256_Sha256_RsaPss", "Aes128_Sha256_RsaOaep", "Basic256Sha256"];

/** By the numbers of their types. **Source:** OPC 10000-4 v1.05, §7.42. */
const userNames: readonly Offer["users"][number][] = ["anonymous", "password", "certificate", "token"];

/** What a server offers, in words. */
export function offersOf(endpoints: readonly EndpointDescription[]): readonly Offer[] {
  return endpoints.map(({ securityMode, securityPolicyUri, userIdentityTokens }) => ({
    mode: names.get(securityMode) ?? "None",
    policy: policyOf(securityPolicyUri),
    users: [...new Set((userIdentityTokens ?? []).map(({ tokenType }) => userNames[tokenType] ?? "token"))],
  }));
}

/**
 * Chooses how to talk to the server.
 * @throws {Fault} `CONFIG_INVALID` that lists what the server offers, when it does not offer what the link wants.
 */
export function choose(
  endpoints: readonly EndpointDescription[],
  { mode, policy }: Security,
  url: string,
): EndpointDescription {
  const wanted = mode === "None" ? ["None"] : policy === undefined ? byStrength : [policy];
  const fitting = endpoints.filter(({ securityMode }) => securityMode === modes[mode]);
  for (const name of wanted) {
    const found = fitting.find(({ securityPolicyUri }) => policyOf(securityPolicyUri) === name);
    if (found) return found;
  }
  const offered = offersOf(endpoints).map(({ mode, policy }) => (mode === "None" ? mode : `${mode} ${policy}`));
  const known = mode === "None" ? "" : ` with ${policy ?? `one of ${policies.join(", ")}`}`;
  throw new Fault(
    "CONFIG_INVALID",
    `link.security: ${url} does not offer ${mode}${known}, but ${[...new Set(offered)].join("; ") || "nothing"}`,
  );
}

/** A server's certificate, with all that it offers. */
export function presentedBy(
  endpoint: EndpointDescription,
  all: readonly EndpointDescription[],
  url: string,
): Presented {
  return { ...describe(endpoint.serverCertificate), endpoint: url, endpoints: offersOf(all) };
}

/** Whether a password would travel readable, because neither the channel nor the user's token encrypts it. */
export function isPasswordBare({ securityMode, securityPolicyUri, userIdentityTokens }: EndpointDescription): boolean {
  if (securityMode === modes.SignAndEncrypt) return false;
  const token = (userIdentityTokens ?? []).find(({ tokenType }) => tokenType === userNames.indexOf("password"));
  return policyOf(token?.securityPolicyUri || securityPolicyUri) === "None";
}

function policyOf(uri: string | null): string {
  return uri?.startsWith(PREFIX) ? uri.slice(PREFIX.length) : (uri ?? "None");
}
