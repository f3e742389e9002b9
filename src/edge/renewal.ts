import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { createRequest } from "#std/x509";
import { type Identity, saveIdentity } from "./identity.ts";

/** The node's identity over time: its certificate is renewed over the tunnel long before it expires. */
export interface Renewal {
  readonly identity: Identity;
  /** A certificate request when it is time for one; its key stays here. */
  request(): Promise<string | undefined>;
  /** Takes the answer over: on disk, and shown at the next connection. @throws {Fault} `IDENTITY_REFUSED` */
  accept(certificate: string): void;
}

/** A certificate is renewed when this share of its life is left: weeks, so that no outage outlasts it. */
const SHARE_LEFT = 1 / 3;

export function createRenewal(
  first: Identity,
  { dataDir, clock, log }: { readonly dataDir: string; readonly clock: Clock; readonly log: Log },
): Renewal {
  let identity = first;
  let pendingKey: string | undefined;
  return {
    get identity() {
      return identity;
    },
    async request() {
      const { validFromDate, validToDate } = new X509Certificate(identity.certificate);
      const leftMs = validToDate.getTime() - clock.now();
      if (leftMs > (validToDate.getTime() - validFromDate.getTime()) * SHARE_LEFT) return undefined;
      const { request, key } = await createRequest(identity.node);
      pendingKey = key;
      return request;
    },
    accept(certificate) {
      if (pendingKey === undefined) throw new Fault("IDENTITY_REFUSED", "a certificate came that nobody asked for");
      const parsed = new X509Certificate(certificate);
      const authority = new X509Certificate(identity.authority);
      if (!parsed.verify(authority.publicKey) || parsed.subject.split("\n")[0] !== `CN=${identity.node}`)
        throw new Fault("IDENTITY_REFUSED", "the new certificate is not of the authority, or names another node");
      // Such as the answer to an earlier request: with it, no connection would be taken any more.
      if (!parsed.checkPrivateKey(createPrivateKey(pendingKey)))
        throw new Fault("IDENTITY_REFUSED", "the new certificate is for another key than the one that was asked for");
      const next = { ...identity, certificate, key: pendingKey };
      saveIdentity(dataDir, next);
      identity = next;
      pendingKey = undefined;
      log.info("certificate renewed", { until: parsed.validTo });
    },
  };
}
