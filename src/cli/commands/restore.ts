import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Fault } from "#std/fault";
import { openLog } from "#std/log";
import { command } from "../command.ts";
import { print } from "../world.ts";

export const restore = command({
  name: "restore",
  summary: "Bring the state of a node or a cloud back from a backup.",
  details:
    "What a node had not sent when the backup was made is sent if the cloud has not got it since, and new rows never " +
    "take a number that the lost disk may have used: nothing is repeated and nothing hidden. Wishes and devices that " +
    "changed since come from the cloud; the time in between is told to the gap ledger.",
  args: {},
  options: {
    file: { help: "The backup.", value: "FILE", required: true },
    dataDir: { help: "The data directory to make.", value: "DIR", required: true },
    replace: { help: "Remove what is there. A node or cloud that runs there is never touched." },
  },
  examples: [["edgeadm restore --file site-a.tar --data-dir /var/lib/skerry/edge", "then edgeadm run edge"]],
  async run({ options: { file, dataDir, replace } }, world) {
    const { heldDatabase, unpack } = await import("../backup/files.ts");
    const folder = resolve(world.cwd, dataDir);
    const held = heldDatabase(folder);
    if (held !== undefined)
      throw new Fault("ALREADY_RUNNING", `${join(folder, held)} is open in a process that runs`, {
        hint: "Stop the node or cloud first.",
      });
    if (!replace && existsSync(folder) && readdirSync(folder).length > 0)
      throw new Fault("USAGE_INVALID", `${folder} is not empty`, { hint: "Give --replace to remove what is there." });
    const { names, createdAt } = await unpack(resolve(world.cwd, file), folder);
    const { renumber } = await import("#edge/store");
    const log = openLog({ level: "error", write: (line) => world.err.write(line) });
    const { forgetRuns } = await import("#cloud/store");
    for (const name of names) {
      const of = join(folder, dirname(name));
      if (basename(name) === "edge.db") renumber(of, world.clock.now(), log);
      if (basename(name) === "cloud.db") forgetRuns(of, log);
    }
    print(world, `${names.length} files of ${new Date(createdAt).toISOString()} in ${folder}`);
  },
});
