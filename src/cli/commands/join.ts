import { command } from "../command.ts";
import { print, remark } from "../world.ts";

export const join = command({
  name: "join",
  summary: "Make this machine a node of a cloud.",
  details:
    "Compares the cloud's authority with the fingerprint in the token, gets a certificate for a key that never leaves this " +
    "machine, and keeps both in the data directory. A node that runs takes its identity at its next start.",
  args: { url: { help: "Where the cloud takes joins, such as https://cloud.example.com:7444." } },
  options: {
    token: {
      help: "The token of edgeadm token create, or - to read it from $SKERRY_TOKEN.",
      value: "TOKEN",
      required: true,
    },
    config: { help: "YAML file of the node, which names its data directory.", value: "FILE" },
    dataDir: { help: "Data directory of the node.", value: "DIR" },
    force: { help: "Replace the identity that is there." },
  },
  examples: [
    [
      "edgeadm join https://cloud.example.com:7444 --token skerry-join... --config edge.yaml",
      "then start it: edgeadm run edge",
    ],
    ["SKERRY_TOKEN=... edgeadm join URL --token - --data-dir /var/lib/skerry/edge", "the token does not show in ps"],
  ],
  async run({ args: { url }, options }, world) {
    const { joinAsNode } = await import("../roles/join.ts");
    const token = options.token === "-" ? (world.env.SKERRY_TOKEN ?? "") : options.token;
    const { node, tunnel, runs } = await joinAsNode({ ...options, url, token }, world);
    print(world, `joined as ${node}; it connects to ${tunnel}`);
    if (runs) remark(world, "The node that runs here takes the identity at its next start: start it again.");
  },
});
