import { command } from "../command.ts";
import { bash, fish, zsh } from "../complete.ts";

const shells = { bash, zsh, fish };

export const completion = command({
  name: "completion",
  summary: "Print a completion script for a shell.",
  args: { shell: { help: "Which shell.", choices: ["bash", "zsh", "fish"] } },
  options: {},
  examples: [
    ["source <(edgeadm completion bash)", "in bash; put it into ~/.bashrc to keep it"],
    ["source <(edgeadm completion zsh)", "in zsh"],
    ["edgeadm completion fish | source", "in fish"],
  ],
  async run({ args: { shell } }, world) {
    // Loaded late: the table of commands has this command in it.
    const { commands } = await import("../commands.ts");
    world.out.write(shells[shell](commands));
  },
});
