import { command } from "../command.ts";

export const runEdge = command({
  name: "run edge",
  summary: "Run a node at a site.",
  details:
    "The node drives its devices, serves them on a local MQTT broker and HTTP API, and keeps one connection to the cloud. " +
    "Without an identity it runs alone; join gives it one. The log goes to standard error, as lines of JSON. SIGHUP makes it " +
    "read users, rights, limits and certificates anew, as reload does; a terminal that closes ends it.",
  args: {},
  options: { config: { help: "YAML file; examples/edge.yaml has every field.", value: "FILE", required: true } },
  examples: [["edgeadm run edge --config /etc/skerry/edge.yaml", "until SIGTERM or Ctrl-C"]],
  async run({ options }, world) {
    const { runEdgeRole } = await import("../roles/edge.ts");
    await runEdgeRole(options.config, world);
  },
});
