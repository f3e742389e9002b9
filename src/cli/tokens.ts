import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { cloudConfig } from "#cloud/config";
import { openTokens } from "#cloud/main";
import { Fault } from "#std/fault";
import { openLog } from "#std/log";
import { readCloudFile } from "./cloud-file.ts";
import type { World } from "./world.ts";

type TokenDoor = Awaited<ReturnType<typeof openTokens>>;

interface Given {
  readonly config: string | undefined;
  readonly dataDir: string | undefined;
}

/** Opens the tokens of the cloud on this machine, running or not. @throws {Fault} `CONFIG_INVALID` when there is none. */
export async function openOwnTokens({ config, dataDir }: Given, world: World): Promise<TokenDoor> {
  const { cwd, clock, err } = world;
  const log = openLog({ level: "error", write: (line) => err.write(line) });
  if (config !== undefined) {
    const file = readCloudFile(config, cwd);
    return openTokens(file, { log, clock });
  }
  const folder = dataDir === undefined ? join(cwd, ".skerry/cloud") : resolve(cwd, dataDir);
  if (!existsSync(join(folder, "cloud.db")))
    throw new Fault("CONFIG_INVALID", `${folder} is no data directory of a cloud`, {
      hint: "Name the cloud's file with --config, or start edgeadm run dev once.",
    });
  return openTokens(cloudConfig.parse({ dataDir: folder }), { log, clock });
}
