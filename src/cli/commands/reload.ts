import type { Reloaded } from "#edge/reload";
import { command } from "../command.ts";
import { openSite, siteOption } from "../devices/site-client.ts";
import { outputOption, show } from "../output.ts";
import { remark } from "../world.ts";

export const reload = command({
  name: "reload",
  summary: "Make a node read its configuration again, without a restart.",
  details:
    "The node takes users, rights and limits of its MQTT broker, and the certificates of its listeners: all of them, or " +
    "nothing when the file is wrong. What needs a restart is named. SIGHUP does the same and tells its outcome in the log.",
  args: {},
  options: { site: siteOption, output: outputOption },
  examples: [["edgeadm reload", "on the machine of the node"]],
  async run({ options }, world) {
    await using site = openSite(options.site);
    const found = (await site.ask({ method: "POST", path: "/api/v1/node/reload" }, world.signal)) as Reloaded;
    const { applied, restart } = found;
    show(world, options.output, found, () => [
      applied.length > 0 ? `in force now: ${applied.join(", ")}` : "nothing has changed; certificates were read again",
    ]);
    if (restart.length > 0) remark(world, `needs a restart: ${restart.join(", ")}`);
  },
});
