import { Fault } from "#std/fault";
import { cloudOptions } from "../cloud-options.ts";
import { command } from "../command.ts";
import { print } from "../world.ts";

export const nodeRefuse = command({
  name: "node refuse",
  summary: "Shut a node out, such as a stolen one: it is disconnected, and stays out until it joins anew.",
  args: { name: { help: "Name of the node, from node list." } },
  options: cloudOptions,
  examples: [
    ["edgeadm node refuse site-a", "its certificate counts no more; edgeadm token create site-a lets it in again"],
  ],
  async run({ args: { name }, options }, world) {
    const { openOwnTokens } = await import("../tokens.ts");
    using door = await openOwnTokens(options, world);
    if (!door.nodes.refuse(name, world.clock.now()))
      throw new Fault("USAGE_INVALID", `there is no node ${name}`, { hint: "See edgeadm node list." });
    print(world, `${name} is shut out`);
  },
});
