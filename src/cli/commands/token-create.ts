import { duration } from "#std/duration";
import { parse } from "#std/schema";
import { readCloudFile } from "../cloud-file.ts";
import { cloudOptions } from "../cloud-options.ts";
import { command } from "../command.ts";
import { outputOption, show } from "../output.ts";
import { remark } from "../world.ts";

export const tokenCreate = command({
  name: "token create",
  summary: "Make a token by which one machine becomes a node, once.",
  details:
    "Run it on the machine of the cloud. The token is printed here and nowhere else; it pins the cloud's authority.",
  args: { node: { help: "Name of the node that it is for." } },
  options: {
    ...cloudOptions,
    ttl: { help: "How long it can be used.", value: "TIME", default: "1h" },
    output: outputOption,
  },
  examples: [
    ["edgeadm token create site-b", "for the cloud of run dev"],
    ["edgeadm token create site-b --ttl 1d --config /etc/skerry/cloud.yaml", "for the cloud of that file"],
  ],
  async run({ args: { node }, options }, world) {
    const ttlMs = parse(duration(1000), options.ttl, "--ttl", "USAGE_INVALID");
    const { openOwnTokens } = await import("../tokens.ts");
    using door = await openOwnTokens(options, world);
    const token = door.tokens.create(node, ttlMs);
    show(world, options.output, { node, token, ttlMs }, () => [token]);
    if (options.output !== "table") return;
    const file = options.config === undefined ? undefined : readCloudFile(options.config, world.cwd);
    const joinUrl = `https://${file?.hosts[0] ?? "CLOUD"}:${file?.join.port ?? 7444}`;
    remark(world, `On ${node}: edgeadm join ${joinUrl} --token TOKEN --config edge.yaml (within ${options.ttl})`);
  },
});
