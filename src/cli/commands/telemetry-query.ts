import { Fault } from "#std/fault";
import { isAbort } from "#std/scope";
import { command } from "../command.ts";
import { type CloudClient, cloudOption, namespaceOption, openCloudClient } from "../telemetry/cloud.ts";
import { type Findings, findingLines } from "../telemetry/findings.ts";
import { type Bucket, bucketLines, type Message, messageLines, messageRows } from "../telemetry/lines.ts";
import { drawn } from "../telemetry/picture.ts";
import { print, remark, type World } from "../world.ts";

export const telemetryQuery = command({
  name: "telemetry query",
  summary: "Show what a device said over time, as a plot, a table, CSV or JSON.",
  details:
    "At a terminal one property is plotted. With --every values are summed up: least, mean, greatest, number and last; " +
    "multiples of a minute reach back to when the single values are gone already.",
  args: {
    device: { help: "Name of the device." },
    property: { help: "Names of properties; without them, all.", optional: true, many: true },
  },
  options: {
    since: { help: "From when: 30s, 1h, 7d ago, or a time such as 2026-01-31T08:00Z.", value: "TIME", default: "1h" },
    until: { help: "To when; without it, now.", value: "TIME" },
    every: { help: "Length of the buckets, such as 1m.", value: "TIME" },
    limit: { help: "Messages at most, the latest.", value: "NUMBER" },
    output: {
      help: "How the result is printed.",
      short: "o",
      value: "FORMAT",
      choices: ["table", "csv", "json"],
      default: "table",
    },
    follow: { help: "Go on with what comes, until Ctrl-C.", short: "f" },
    plot: { help: "Draw one property, also into a pipe." },
    verify: { help: "Check the numbers of all messages in the time instead: is any missing or doubled?" },
    namespace: namespaceOption,
    cloud: cloudOption,
  },
  examples: [
    ["edgeadm telemetry query boiler-1 temperature", "a plot of the last hour"],
    ["edgeadm telemetry query boiler-1 --since 7d --every 1h -o csv", "for a spreadsheet"],
    ["edgeadm telemetry query boiler-1 --follow -o json", "a line of JSON for each message"],
    ["edgeadm telemetry query boiler-1 --since 7d --verify", "proves that nothing is missing"],
  ],
  async run({ args: { device, property = [] }, options }, world) {
    const { since, until, every, limit, output, follow, plot, verify, namespace, cloud } = options;
    await using client = openCloudClient(cloud, world);
    const path = `/v1/telemetry/${encodeURIComponent(namespace)}/${encodeURIComponent(device)}`;
    const { signal } = world;
    if (verify)
      return showFindings(await client.get<Findings>(`${path}/check`, { since, until }, signal), output, world);
    if (follow) return await followAll(client, path, { property, isJson: output === "json" }, world);
    const question = { property, since, until, every, limit };
    if (plot || (output === "table" && world.out.isTty && property.length === 1 && every === undefined)) {
      const [only, ...others] = property;
      if (only === undefined || others.length > 0)
        throw new Fault("USAGE_INVALID", "a plot shows one property", { hint: "Name one, or leave --plot out." });
      const lines = await drawn(client, path, { device, property: only, since, until, every }, world);
      // Words and switches have no curve; they are listed.
      if (lines) return print(world, lines.join("\n"));
    }
    if (output === "csv") return world.out.write(await client.text(path, { ...question, format: "csv" }, signal));
    const answer = await client.get<{ messages?: Message[]; buckets?: Bucket[] }>(path, question, signal);
    if (output === "json") return print(world, JSON.stringify(answer.buckets ?? answer.messages ?? [], null, 2));
    const lines = answer.buckets ? bucketLines(answer.buckets) : messageLines(answer.messages ?? []);
    for (const line of lines) print(world, line);
    if ((answer.buckets ?? answer.messages ?? []).length === 0)
      remark(
        world,
        `is it ${[device, ...property].join(" ")}, in namespace ${namespace}? What is kept is said by telemetry.keep of ` +
          `the Device; edgeadm device get ${device} shows what it says now`,
      );
  },
});

interface Follow {
  readonly property: readonly string[];
  readonly isJson: boolean;
}

async function followAll(client: CloudClient, path: string, { property, isJson }: Follow, world: World): Promise<void> {
  try {
    for await (const line of client.lines(path, { property, follow: "true" }, world.signal)) {
      if (isJson) print(world, line);
      else for (const row of messageRows(JSON.parse(line) as Message)) print(world, row.join("   "));
    }
  } catch (error) {
    // Ctrl-C is how one leaves.
    if (!isAbort(error, world.signal)) throw error;
  }
}

function showFindings(findings: Findings, output: string, world: World): void {
  if (output === "json") print(world, JSON.stringify(findings, null, 2));
  else for (const line of findingLines(findings)) print(world, line);
  const unexplained = findings.holes.filter(({ reason }) => reason === undefined).length;
  if (unexplained + findings.doubled > 0)
    throw new Fault("DATABASE_CORRUPT", `${unexplained} holes without a reason, ${findings.doubled} numbers twice`, {
      hint: "This must not be. Please report it with the lines above.",
    });
}
