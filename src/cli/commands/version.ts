import { program } from "../about.ts";
import { command } from "../command.ts";
import { outputOption, show } from "../output.ts";

export const version = command({
  name: "version",
  summary: "Show the version of edgeadm, of the wire, and of Node.",
  args: {},
  options: { output: outputOption },
  examples: [
    ["edgeadm version", "for people"],
    ["edgeadm version -o json", "for programs"],
  ],
  async run({ options }, world) {
    const { version, wire, node } = program(world.root);
    show(world, options.output, { version, wire, node }, () => [`edgeadm ${version} (wire ${wire}, Node ${node})`]);
  },
});
