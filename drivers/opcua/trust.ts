/**
 * Which certificate each server may show. The first trust is a person's decision: a server that nobody has decided about
 * is not talked to.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "#std/schema";
import type { Certificate } from "./certificate.ts";

const decision = z.object({
  endpoint: z.string(),
  state: z.enum(["accepted", "rejected"]),
  subject: z.string(),
  issuer: z.string(),
  fingerprint: z.string(),
  thumbprint: z.string(),
  notBefore: z.string(),
  notAfter: z.string(),
  decidedAt: z.string(),
});

/** What somebody decided about a certificate at an endpoint. Times are ISO 8601. */
export type Decision = Readonly<z.infer<typeof decision>>;

/** The decisions of one node. A certificate that is accepted for one endpoint is a stranger at every other. */
export interface TrustStore {
  list(): Promise<readonly Decision[]>;
  find(endpoint: string, fingerprint: string): Promise<Decision | undefined>;
  accept(endpoint: string, certificate: Certificate): Promise<void>;
  reject(endpoint: string, certificate: Certificate): Promise<void>;
  /** Forgets what was decided; the server is a stranger again. */
  forget(endpoint: string, fingerprint: string): Promise<void>;
}

/** Decisions as files, one each, so that a command may decide while the node runs. @param folder - made when missing. */
export function folderTrust(folder: string): TrustStore {
  const pathOf = (endpoint: string, fingerprint: string) => join(folder, `${keyOf(endpoint, fingerprint)}.json`);
  const decide = async (endpoint: string, certificate: Certificate, state: Decision["state"]) => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = pathOf(endpoint, certificate.fingerprint);
    await writeFile(`${path}.new`, JSON.stringify(decisionOf(endpoint, certificate, state), null, 2), { mode: 0o600 });
    await rename(`${path}.new`, path);
  };
  return {
    async list() {
      const names = await readdir(folder).catch(() => []);
      const found = names.filter((name) => name.endsWith(".json")).map((name) => readDecision(join(folder, name)));
      return (await Promise.all(found)).filter((one) => one !== undefined).sort(byEndpoint);
    },
    async find(endpoint, fingerprint) {
      const found = await readDecision(pathOf(endpoint, fingerprint));
      // The name of a file proves nothing; what stands in it does.
      return found?.endpoint === endpoint && found.fingerprint === fingerprint ? found : undefined;
    },
    accept: (endpoint, certificate) => decide(endpoint, certificate, "accepted"),
    reject: (endpoint, certificate) => decide(endpoint, certificate, "rejected"),
    forget: (endpoint, fingerprint) => rm(pathOf(endpoint, fingerprint), { force: true }),
  };
}

/** Decisions that end with the process. @param known - those that were made before. */
export function memoryTrust(known: readonly Decision[] = []): TrustStore {
  const decisions = new Map(known.map((one) => [keyOf(one.endpoint, one.fingerprint), one]));
  const decide = async (endpoint: string, certificate: Certificate, state: Decision["state"]) => {
    decisions.set(keyOf(endpoint, certificate.fingerprint), decisionOf(endpoint, certificate, state));
  };
  return {
    list: async () => [...decisions.values()].sort(byEndpoint),
    find: async (endpoint, fingerprint) => decisions.get(keyOf(endpoint, fingerprint)),
    accept: (endpoint, certificate) => decide(endpoint, certificate, "accepted"),
    reject: (endpoint, certificate) => decide(endpoint, certificate, "rejected"),
    forget: async (endpoint, fingerprint) => {
      decisions.delete(keyOf(endpoint, fingerprint));
    },
  };
}

/** A file that can not be read decides nothing: closed by default. */
async function readDecision(path: string): Promise<Decision | undefined> {
  try {
    return decision.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

function decisionOf(endpoint: string, certificate: Certificate, state: Decision["state"]): Decision {
  return { endpoint, state, ...certificate, decidedAt: new Date().toISOString() };
}

function keyOf(endpoint: string, fingerprint: string): string {
  return createHash("sha256").update(`${endpoint} ${fingerprint}`).digest("hex").slice(0, 32);
}

function byEndpoint(a: Decision, b: Decision): number {
  return a.endpoint < b.endpoint ? -1 : a.endpoint > b.endpoint ? 1 : 0;
}
