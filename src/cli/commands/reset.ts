import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Fault } from "#std/fault";
import { command } from "../command.ts";
import { checkDataDir } from "../data-dir.ts";
import { alreadyRunning, isLocked } from "../lock.ts";
import { print } from "../world.ts";

/** A folder without any of these is not one of ours, and is left alone. */
const SIGNS = ["dev.json", "edgeadm.lock", "registry/ca.key"];

export const reset = command({
  name: "reset",
  summary: "Remove what run dev keeps: devices, history, keys and identities.",
  args: {},
  options: {
    dev: { help: "Yes, the data of run dev." },
    dataDir: { help: "Where they are.", value: "DIR", default: ".skerry" },
    yes: { help: "Do not ask.", short: "y" },
  },
  examples: [
    ["edgeadm reset --dev", "asks first"],
    ["edgeadm reset --dev --yes", "in scripts"],
  ],
  async run({ options }, world) {
    const { dev, dataDir: given, yes } = options;
    if (!dev)
      throw new Fault("USAGE_INVALID", "reset needs to be told what", { hint: "Give --dev for the data of run dev." });
    const dataDir = resolve(world.cwd, given);
    if (!existsSync(dataDir)) return print(world, `${dataDir} is not there; nothing to remove`);
    checkDataDir(dataDir);
    if (isLocked(dataDir)) throw alreadyRunning(dataDir);
    if (!isOurs(dataDir))
      throw new Fault("USAGE_INVALID", `${dataDir} was not made by edgeadm run dev`, { hint: "Correct --data-dir." });
    if (!yes) {
      if (!world.ask) throw new Fault("USAGE_INVALID", "nobody is there to ask", { hint: "Give --yes." });
      const answer = await world.ask(`Remove ${dataDir} with all devices, history and keys? [y/N] `);
      if (!/^y(es)?$/i.test(answer.trim())) return print(world, "nothing removed");
    }
    rmSync(dataDir, { recursive: true, force: true });
    print(world, `removed ${dataDir}`);
  },
});

function isOurs(dataDir: string): boolean {
  return readdirSync(dataDir).length === 0 || SIGNS.some((sign) => existsSync(join(dataDir, sign)));
}
