import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { command } from "../command.ts";
import { integer } from "../devices/probe-target.ts";
import { recordingLine } from "../devices/recording.ts";
import { devicePath, openSite, siteOption } from "../devices/site-client.ts";
import { remark } from "../world.ts";
import { unwritable } from "../write-file.ts";

const LONGEST_S = 3_600;

export const deviceRecord = command({
  name: "device record",
  summary: "Write the requests to a device and its answers to a file.",
  details:
    "One exchange a line, as JSON. A Device whose link is { file: FILE }, for Modbus { transport: replay, file: FILE }, plays " +
    "it back, for tests without the device. Records what goes over the link anyway; nothing more is asked for it.",
  args: { name: { help: "Name of the device." } },
  options: {
    site: siteOption,
    seconds: { help: "How long, at most 3600.", short: "s", value: "N", default: "10" },
    file: { help: "Where to write; a file that is there is replaced.", short: "f", value: "FILE", required: true },
  },
  examples: [["edgeadm device record boiler-1 --seconds 60 --file boiler.ndjson", "a minute of it"]],
  async run({ args, options }, world) {
    const seconds = integer("--seconds", options.seconds, 1, LONGEST_S);
    await using site = openSite(options.site);
    const path = `${devicePath(args.name, "exchanges")}?forMs=${seconds * 1_000}`;
    await using file = await open(resolve(world.cwd, options.file), "w", 0o600).catch(unwritable(options.file));
    let written = 0;
    let gaps = 0;
    for await (const answer of site.lines({ method: "GET", path }, world.signal)) {
      const line = recordingLine(answer);
      if (line === undefined) gaps++;
      else {
        written++;
        await file.appendFile(`${line}\n`).catch(unwritable(options.file));
      }
    }
    remark(world, `${written} exchanges in ${options.file}`);
    if (gaps > 0) remark(world, `${gaps} times some went by too quickly and are missing`);
    if (written === 0) remark(world, "nothing was asked meanwhile: see edgeadm device why");
  },
});
