import { resolve } from "node:path";
import { parseEdgeConfig } from "#edge/config";
import { loadIdentity, saveIdentity } from "#edge/identity";
import { joinCloud } from "#edge/join";
import { Fault } from "#std/fault";
import { command } from "../command.ts";
import { makeDataDir } from "../data-dir.ts";
import { readText } from "../read-file.ts";
import { print } from "../world.ts";

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
  async run({ args, options }, world) {
    const { config: file, dataDir: given, force } = options;
    const token = options.token === "-" ? (world.env.SKERRY_TOKEN ?? "") : options.token;
    const named =
      given ?? (file === undefined ? undefined : parseEdgeConfig(readText(resolve(world.cwd, file)), file).dataDir);
    if (named === undefined)
      throw new Fault("USAGE_INVALID", "join needs to know where the node keeps its data", {
        hint: "Give --config or --data-dir.",
      });
    if (!URL.canParse(args.url) || new URL(args.url).protocol !== "https:")
      throw new Fault("USAGE_INVALID", `${args.url} is no https URL`, {
        hint: "Such as https://cloud.example.com:7444",
      });
    const dataDir = resolve(world.cwd, named);
    makeDataDir(dataDir);
    const known = loadIdentity(dataDir);
    if (known && !force)
      throw new Fault("USAGE_INVALID", `${dataDir} has an identity already: ${known.node} of ${known.tunnel}`, {
        hint: "Give --force to replace it, or another data directory.",
      });
    const identity = await joinCloud(args.url, token, world.signal);
    saveIdentity(dataDir, identity);
    print(world, `joined as ${identity.node}; it connects to ${identity.tunnel}`);
  },
});
