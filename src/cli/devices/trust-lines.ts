/** Certificates of devices, for people who decide about them. Pure. */
import type { Presented } from "#drivers/opcua/endpoint";
import { Fault } from "#std/fault";
import { table } from "../table.ts";

/** A certificate and what was decided about it. */
export interface TrustView extends Presented {
  readonly device: string;
  readonly state: "accepted" | "rejected" | "undecided";
}

const DAY_MS = 86_400_000;

/** The lines for one server. */
export function trustLines(view: TrustView, nowMs: number): readonly string[] {
  const { device, endpoint, subject, issuer, fingerprint, thumbprint, notBefore, notAfter, endpoints, state } = view;
  const facts = table(
    ["Device", device],
    [
      ["Endpoint", endpoint],
      ["Subject", subject],
      ["Issuer", issuer === subject ? "itself: nobody else vouches for it" : issuer],
      ["Valid", `${notBefore.slice(0, 10)} to ${notAfter.slice(0, 10)}, ${validity(notBefore, notAfter, nowMs)}`],
      ["Thumbprint", thumbprint],
      ["Fingerprint", fingerprint],
      ["Decided", state],
    ],
  );
  const offers = table(
    ["MODE", "POLICY", "USERS"],
    endpoints.map(({ mode, policy, users }) => [mode, policy, users.join(", ")]),
  );
  const next =
    state === "undecided"
      ? ["", `If the thumbprint is the server's: edgeadm device trust ${device} --accept ${fingerprint}`]
      : [];
  return [...facts, "", ...offers, ...next];
}

/**
 * What the user wants done with the certificate that is there.
 * @throws {Fault} `USAGE_INVALID` when it is not the one that was meant: somebody else may be answering.
 */
export function decisionOf(
  { fingerprint, thumbprint, endpoint }: Presented,
  accept: string | undefined,
  reject: boolean,
): "accept" | "reject" | undefined {
  if (reject) return "reject";
  if (accept === undefined) return undefined;
  const meant = accept.replaceAll(/[:\s]/g, "").toLowerCase();
  if (meant === fingerprint) return "accept";
  const hint =
    meant === thumbprint.toLowerCase()
      ? `That is its thumbprint, which can be forged; accept the fingerprint ${fingerprint}.`
      : "Compare both with what the server's own tools show.";
  throw new Fault("USAGE_INVALID", `${endpoint} presents the fingerprint ${fingerprint}, not ${meant}`, { hint });
}

function validity(notBefore: string, notAfter: string, nowMs: number): string {
  const days = Math.floor((Date.parse(notAfter) - nowMs) / DAY_MS);
  if (Date.parse(notBefore) > nowMs) return "NOT YET VALID";
  return days < 0 ? "EXPIRED" : `${days} days left`;
}
