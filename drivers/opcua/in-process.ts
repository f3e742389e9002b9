/** A connection in the thread that asks for it. `worker.ts` is who asks, or a test, or a command that ends soon. */
import type { Connection } from "#devices/driver";
import { openConnection } from "./connection.ts";
import { abortable, dial } from "./dial.ts";
import { type Identity, openIdentity } from "./identity.ts";
import { type Line, openLine, type Patience } from "./line.ts";
import type { OpcuaAddress, OpcuaCommand, OpcuaLink, OpcuaStation } from "./schema.ts";
import { loadStack, type Stack } from "./stack.ts";
import type { TrustStore } from "./trust.ts";

/** What a line is opened with. */
export interface Surroundings {
  /** Folder of our own certificate; without one it is made for this thread. */
  readonly identityDir: string | undefined;
  readonly trust: TrustStore;
  readonly patience: Patience;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** By folder: the key is made once, beside whoever waits; a slow machine may need longer than one connect may take. */
const identities = new Map<string | undefined, Promise<Identity>>();

/** The stack, and who we are. */
export async function openStack(identityDir: string | undefined): Promise<{ stack: Stack; identity: Identity }> {
  const stack = await loadStack();
  const identity = identities.get(identityDir) ?? openIdentity(stack, identityDir);
  identities.set(identityDir, identity);
  try {
    return { stack, identity: await identity };
  } catch (error) {
    identities.delete(identityDir);
    throw error;
  }
}

/** Opens a session, and keeps it. @throws {Fault} `LINK_LOST`, `CONFIG_INVALID`, `PERMISSION_MISSING`. */
export async function lineTo(
  { identityDir, trust, patience }: Omit<Surroundings, "now">,
  link: OpcuaLink,
  signal: AbortSignal,
): Promise<Line> {
  const ports = await abortable(signal, () => openStack(identityDir));
  const dialled = await dial(link, { ...ports, trust, pingMs: patience.pingMs }, signal);
  return await openLine(ports.stack, dialled, { url: link.endpoint, patience }, signal);
}

/** As `lineTo`, as a connection of a driver. */
export async function openInProcess(
  surroundings: Surroundings,
  link: OpcuaLink,
  signal: AbortSignal,
): Promise<Connection<OpcuaStation, OpcuaAddress, OpcuaCommand>> {
  return openConnection(await lineTo(surroundings, link, signal), surroundings.now);
}
