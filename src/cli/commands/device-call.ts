import type { Result } from "#edge/commands";
import { duration } from "#std/duration";
import { Fault, type FaultCode, faults } from "#std/fault";
import { parse } from "#std/schema";
import { command } from "../command.ts";
import { parseArgument } from "../devices/arguments.ts";
import { showValue } from "../devices/lines.ts";
import { devicePath, openSite, siteOption } from "../devices/site-client.ts";
import { outputOption, show } from "../output.ts";

export const deviceCall = command({
  name: "device call",
  summary: "Tell a device to do one of the commands of its model, and wait for the outcome.",
  details:
    "The same --id is done once, however often it is sent: repeat it when the connection broke. Arguments are JSON; what is " +
    "none is text.",
  args: {
    name: { help: "Name of the device." },
    command: { help: "Name of the command in the DeviceModel." },
    arguments: { help: "What it is called with, such as 5, true or '\"text\"'.", optional: true, many: true },
  },
  options: {
    site: siteOption,
    id: { help: "Name of this call; without one, each call is a new one.", value: "ID" },
    deadline: { help: "Longest time until the outcome; without it, the model's.", value: "TIME" },
    output: outputOption,
  },
  examples: [
    ["edgeadm device call boiler-1 flush", "a command without arguments"],
    ["edgeadm device call line-1 start 5 --deadline 30s", "with one"],
  ],
  async run({ args, options }, world) {
    const { id, deadline } = options;
    const given = (args.arguments ?? []).map(parseArgument);
    const body = {
      ...(id === undefined ? {} : { id }),
      ...(given.length === 0 ? {} : { args: given }),
      ...(deadline === undefined ? {} : { deadlineMs: parse(duration(1), deadline, "--deadline", "USAGE_INVALID") }),
    };
    await using site = openSite(options.site);
    const path = devicePath(args.name, "commands", args.command);
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", path, headers, body: JSON.stringify(body) } as const;
    const result = (await site.ask(request, world.signal)) as Result & { readonly id: string };
    if (!result.ok) throw faultOf(result.fault);
    show(world, options.output, result, () => [
      `${args.name} ${args.command} done${result.value === null ? "" : `: ${showValue(result.value)}`}`,
    ]);
  },
});

/** A refused command ends this one with 1, so that scripts notice. */
function faultOf({ code, message }: { readonly code: string; readonly message: string }): Fault {
  return new Fault(Object.hasOwn(faults, code) ? (code as FaultCode) : "DEVICE_REFUSED", message);
}
