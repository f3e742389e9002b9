import { resolve } from "node:path";
import { command } from "../command.ts";
import { print } from "../world.ts";

export const backup = command({
  name: "backup",
  summary: "Write the whole state of a node or a cloud into one file, while it runs.",
  details:
    "For the data directory of an edge, a cloud (with the embedded registry) or run dev. Each database is as it was at " +
    "one moment; identity and keys are in it, so the file has mode 0600 and should lie where nobody else reads it. " +
    "tar tf lists it.",
  args: {},
  options: {
    dataDir: { help: "The data directory.", value: "DIR", required: true },
    file: { help: "Where the backup goes; it must not be there yet.", value: "FILE", required: true },
  },
  examples: [
    ["edgeadm backup --data-dir /var/lib/skerry/edge --file site-a.tar", "of a node"],
    ["edgeadm backup --data-dir /var/lib/skerry/cloud --file cloud.tar", "of a cloud, with its authority"],
  ],
  async run({ options: { dataDir, file } }, world) {
    const { pack } = await import("../backup/files.ts");
    const path = resolve(world.cwd, file);
    const count = await pack(resolve(world.cwd, dataDir), path, world.clock.now());
    print(world, `${count} files in ${path}`);
  },
});
