import { command } from "../command.ts";
import { outputOption, show } from "../output.ts";
import { cloudOption, openCloudClient } from "../telemetry/cloud.ts";
import { type Gap, gapLines } from "../telemetry/lines.ts";

export const gaps = command({
  name: "gaps",
  summary: "List all that was dropped or missed: when, how many, and why.",
  details:
    "Reasons are size limit, age limit, disk full and disk failed for rows that a node had to drop, queue overflow for " +
    "values that never got to it, and device silent, link lost, node off and clock jump for times at which nothing was " +
    "read.",
  args: { device: { help: "Name of the device; without it, all.", optional: true } },
  options: {
    since: { help: "Gaps that ended after this: 1h, 7d, or a time.", value: "TIME" },
    namespace: { help: "Namespace of the devices; without it, all.", short: "n", value: "NAME" },
    limit: { help: "Gaps at most, the latest.", value: "NUMBER" },
    cloud: cloudOption,
    output: outputOption,
  },
  examples: [
    ["edgeadm gaps", "whether anything is missing anywhere"],
    ["edgeadm gaps boiler-1 --since 7d", "what one device missed in a week"],
  ],
  async run({ args: { device }, options }, world) {
    const { since, namespace, limit, cloud, output } = options;
    await using client = openCloudClient(cloud, world);
    const question = { device, namespace, since, limit };
    const answer = await client.get<{ gaps: readonly Gap[] }>("/v1/gaps", question, world.signal);
    show(world, output, answer.gaps, () => gapLines(answer.gaps));
  },
});
