import type { Why } from "#edge/devices/why";
import { command } from "../command.ts";
import { devicePath, openSite, siteOption } from "../devices/site-client.ts";
import { whyLines } from "../devices/why-lines.ts";
import { outputOption, show } from "../output.ts";

export const deviceWhy = command({
  name: "device why",
  summary: "Explain why a device is as it is: values, link, last exchange, times.",
  details:
    "Asks the node that drives the device. One screen: what is not good and why, the state of the link, how long answers " +
    "take, the last request and answer in hex and in words, what the device taught the driver, and who it says it is.",
  args: { name: { help: "Name of the device." } },
  options: { site: siteOption, output: outputOption },
  examples: [
    ["edgeadm device why boiler-1", "on the machine of the node"],
    ["edgeadm device why boiler-1 -o json", "all that is known, with the last 32 exchanges"],
  ],
  async run({ args, options }, world) {
    await using site = openSite(options.site);
    const why = (await site.ask({ method: "GET", path: devicePath(args.name, "why") }, world.signal)) as Why;
    show(world, options.output, why, () => whyLines(why, world.clock.now()));
  },
});
