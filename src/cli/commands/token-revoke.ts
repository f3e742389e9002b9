import { Fault } from "#std/fault";
import { cloudOptions } from "../cloud-options.ts";
import { command } from "../command.ts";
import { print } from "../world.ts";

export const tokenRevoke = command({
  name: "token revoke",
  summary: "Revoke a token that was not used yet.",
  args: { id: { help: "Id of the token, from token list." } },
  options: cloudOptions,
  examples: [["edgeadm token revoke 3f9a2c71d0be", "nobody can join with it any more"]],
  async run({ args: { id }, options }, world) {
    const { openOwnTokens } = await import("../tokens.ts");
    using door = await openOwnTokens(options, world);
    if (!door.tokens.revoke(id))
      throw new Fault("TOKEN_INVALID", `there is no token ${id} that could be revoked`, {
        hint: "See edgeadm token list.",
      });
    print(world, `revoked ${id}`);
  },
});
