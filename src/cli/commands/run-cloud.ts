import { command } from "../command.ts";

export const runCloud = command({
  name: "run cloud",
  summary: "Run the centre: the tunnel, the controllers, and the door where machines join.",
  details:
    "The Devices are in the cluster of kubernetes.kubeconfig, or in the embedded registry (registry: {}), whose kubeconfig " +
    "is written into the data directory. The log goes to standard error, as lines of JSON.",
  args: {},
  options: { config: { help: "YAML file; examples/cloud.yaml has every field.", value: "FILE", required: true } },
  examples: [["edgeadm run cloud --config /etc/skerry/cloud.yaml", "until SIGTERM or Ctrl-C"]],
  async run({ options }, world) {
    const { runCloudRole } = await import("../roles/cloud.ts");
    await runCloudRole(options.config, world);
  },
});
