import { cloudOptions } from "../cloud-options.ts";
import { command } from "../command.ts";
import { outputOption, show } from "../output.ts";
import { age, table } from "../table.ts";

export const tokenList = command({
  name: "token list",
  summary: "List the tokens, without their secrets.",
  args: {},
  options: { ...cloudOptions, output: outputOption },
  examples: [["edgeadm token list", "which are open, used, revoked or expired"]],
  async run({ options }, world) {
    const { openOwnTokens } = await import("../tokens.ts");
    using door = await openOwnTokens(options, world);
    const now = world.clock.now();
    const tokens = door.tokens.list().map((it) => ({ ...it, state: stateOf(it, now) }));
    show(world, options.output, tokens, () =>
      table(
        ["ID", "NODE", "STATE", "CREATED", "EXPIRES"],
        tokens.map(({ id, node, state, createdAt, expiresAt }) => [
          id,
          node,
          state,
          `${age(now - createdAt)} ago`,
          expiresAt > now ? `in ${age(expiresAt - now)}` : `${age(now - expiresAt)} ago`,
        ]),
      ),
    );
  },
});

interface Dated {
  readonly usedAt: number | null;
  readonly revokedAt: number | null;
  readonly expiresAt: number;
}

function stateOf({ usedAt, revokedAt, expiresAt }: Dated, nowMs: number): string {
  if (usedAt !== null) return "used";
  if (revokedAt !== null) return "revoked";
  return expiresAt <= nowMs ? "expired" : "open";
}
