import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, fingerprint, issue } from "#std/x509";

/** An authority, a server's certificate from it, and a client's in files. */
export interface TlsFiles extends Disposable {
  readonly server: { readonly cert: string; readonly key: string; readonly ca: string };
  /** The `tls` of a link. */
  readonly client: {
    readonly authorityFrom: { readonly file: string };
    readonly certificateFrom: { readonly file: string };
    readonly keyFrom: { readonly file: string };
  };
  /** SHA-256 of the server's certificate. */
  readonly pin: string;
}

export async function tlsFiles(): Promise<TlsFiles> {
  const folder = mkdtempSync(join(tmpdir(), "skerry-tls-"));
  const authority = await createAuthority("plant", 1);
  const server = await issue(authority, { commonName: "plc", hosts: ["127.0.0.1"], usage: "server", days: 1 });
  const client = await issue(authority, { commonName: "edge", usage: "client", days: 1 });
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return { file: join(folder, name) };
  };
  return {
    server: { cert: server.certificate, key: server.key, ca: authority.certificate },
    client: {
      authorityFrom: file("ca.pem", authority.certificate),
      certificateFrom: file("client.pem", client.certificate),
      keyFrom: file("client.key", client.key),
    },
    pin: fingerprint(server.certificate),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
