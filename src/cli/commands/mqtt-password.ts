import { resolve } from "node:path";
import { Fault } from "#std/fault";
import { command } from "../command.ts";
import { readText } from "../read-file.ts";
import { print } from "../world.ts";

/** Fewer are guessed in an afternoon, whatever the hash costs. */
const LEAST_LENGTH = 8;

export const mqttPassword = command({
  name: "mqtt password",
  summary: "Print the hash of a password, as it stands under mqtt.users.",
  details:
    "The password is read from a file, because what stands on a command line is seen by every user of the machine. " +
    "The line break at its end does not count. It has at least 8 characters.",
  args: {},
  options: {
    from: { value: "FILE", required: true, help: "File with the password, such as /dev/stdin." },
  },
  examples: [["printf '%s' \"$PASSWORD\" | edgeadm mqtt password --from /dev/stdin", "for mqtt.users in edge.yaml"]],
  async run({ options: { from } }, world) {
    const password = readText(resolve(world.cwd, from)).replace(/\r?\n$/, "");
    if (password.length < LEAST_LENGTH)
      throw new Fault("USAGE_INVALID", `the password has ${password.length} characters, fewer than ${LEAST_LENGTH}`);
    const { hashPassword } = await import("#edge/broker/users");
    print(world, await hashPassword(password));
  },
});
