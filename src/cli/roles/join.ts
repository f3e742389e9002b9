import { resolve } from "node:path";
import { parseEdgeConfig } from "#edge/config";
import { loadIdentity, saveIdentity } from "#edge/identity";
import { joinCloud } from "#edge/join";
import { Fault } from "#std/fault";
import { makeDataDir } from "../data-dir.ts";
import { isLocked } from "../lock.ts";
import { readText } from "../read-file.ts";
import type { World } from "../world.ts";

export interface JoinRequest {
  readonly url: string;
  readonly token: string;
  /** File of the node; its data directory counts when none is named. */
  readonly config: string | undefined;
  readonly dataDir: string | undefined;
  /** Whether an identity that is there may be replaced. */
  readonly force: boolean;
}

/** What came of a join. */
export interface Joined {
  readonly node: string;
  /** Where the node will connect. */
  readonly tunnel: string;
  /** Whether a node runs in the data directory: it takes its identity at its next start. */
  readonly runs: boolean;
}

/** Makes this machine a node. @throws {Fault} `USAGE_INVALID`, and as `joinCloud`. */
export async function joinAsNode(request: JoinRequest, world: World): Promise<Joined> {
  const { url, token, force } = request;
  const refuse = (message: string, hint: string) => new Fault("USAGE_INVALID", message, { hint });
  if (!URL.canParse(url) || new URL(url).protocol !== "https:")
    throw refuse(`${url} is no https URL`, "Such as https://cloud.example.com:7444");
  const dataDir = resolve(world.cwd, dataDirOf(request, world.cwd));
  makeDataDir(dataDir);
  // One that is damaged may be replaced, too.
  const known = force ? undefined : loadIdentity(dataDir);
  if (known)
    throw refuse(
      `${dataDir} has an identity already: ${known.node} of ${known.tunnel}`,
      "Give --force to replace it, or another data directory.",
    );
  const identity = await joinCloud(url, token, world.signal);
  saveIdentity(dataDir, identity);
  return { node: identity.node, tunnel: identity.tunnel, runs: isLocked(dataDir) };
}

function dataDirOf({ config, dataDir }: JoinRequest, cwd: string): string {
  if (dataDir !== undefined) return dataDir;
  if (config !== undefined) return parseEdgeConfig(readText(resolve(cwd, config)), config).dataDir;
  const hint = "Give --config or --data-dir.";
  throw new Fault("USAGE_INVALID", "join needs to know where the node keeps its data", { hint });
}
