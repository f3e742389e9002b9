import { createAuthority, issue } from "#std/x509";
import type { CarrierTls } from "#wire/carrier";

/** An authority, a cloud on loopback and nodes, all with certificates. */
export interface Papers {
  readonly authority: string;
  readonly cloud: CarrierTls;
  node(name: string): Promise<CarrierTls>;
}

export async function papers(name = "Skerry test"): Promise<Papers> {
  const ca = await createAuthority(name, 1);
  const { certificate: authority } = ca;
  const hosts = ["127.0.0.1", "localhost"];
  const cloud = { authority, ...(await issue(ca, { commonName: "cloud", hosts, usage: "server", days: 1 })) };
  return {
    authority,
    cloud,
    node: async (commonName) => ({ authority, ...(await issue(ca, { commonName, usage: "client", days: 1 })) }),
  };
}
