import { command } from "../command.ts";
import { outputOption, show } from "../output.ts";
import { age, table } from "../table.ts";
import { cloudOption, openCloudClient } from "../telemetry/cloud.ts";
import { remark } from "../world.ts";

/** A node as `/v1/nodes` tells it. Times are milliseconds since the epoch. */
interface Node {
  readonly name: string;
  readonly connected: boolean;
  readonly seenAt: number | null;
  readonly refusedAt: number | null;
  readonly duplicateAt: number | null;
  readonly program?: string;
}

/** How long a second machine that was refused is worth a remark. */
const RECENT_MS = 86_400_000;

export const nodeList = command({
  name: "node list",
  summary: "List the nodes of a cloud: which are connected, and which were shut out.",
  details: "DUPLICATE says when a second machine with the identity of a node was refused last.",
  args: {},
  options: { cloud: cloudOption, output: outputOption },
  examples: [["edgeadm node list", "which sites the cloud hears"]],
  async run({ options: { cloud, output } }, world) {
    await using client = openCloudClient(cloud, world);
    const { nodes } = await client.get<{ nodes: readonly Node[] }>("/v1/nodes", {}, world.signal);
    const now = world.clock.now();
    const ago = (at: number | null) => (at === null ? "-" : `${age(now - at)} ago`);
    show(world, output, nodes, () =>
      table(
        ["NAME", "STATE", "SEEN", "DUPLICATE", "PROGRAM"],
        nodes.map((it) => [
          it.name,
          stateOf(it),
          it.connected ? "now" : ago(it.seenAt),
          ago(it.duplicateAt),
          it.program ?? "-",
        ]),
      ),
    );
    for (const { name } of nodes.filter(({ duplicateAt }) => now - (duplicateAt ?? 0) < RECENT_MS))
      remark(
        world,
        `two machines have the identity of ${name}; the second one needs a token of its own: edgeadm join --force`,
      );
  },
});

function stateOf({ connected, seenAt, refusedAt }: Node): string {
  if (refusedAt !== null) return "shut out";
  if (connected) return "connected";
  return seenAt === null ? "never seen" : "away";
}
