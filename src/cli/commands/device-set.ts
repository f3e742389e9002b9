import { duration } from "#std/duration";
import { Fault } from "#std/fault";
import { parse } from "#std/schema";
import { command } from "../command.ts";
import { outcomeLine } from "../devices/lines.ts";
import { openDevices, sourceOptions } from "../devices/source.ts";
import type { Outcome } from "../devices/view.ts";
import { parseWishes } from "../devices/wishes.ts";
import { outputOption, show } from "../output.ts";
import { remark } from "../world.ts";

export const deviceSet = command({
  name: "device set",
  summary: "Wish values for properties, and wait for what becomes of it.",
  details:
    "Values are read by the type of the property in the model and checked before anything is sent. A wish that is still " +
    "pending when the time is over is not lost: it is written as soon as the device can be reached. Wishing what is " +
    "desired already is a new wish: the device is told again, also when it refused or the site wished otherwise since.",
  args: {
    name: { help: "Name of the device." },
    wishes: { help: "PROPERTY=VALUE, such as setpoint=65 or pump=off.", many: true },
  },
  options: {
    ...sourceOptions,
    timeout: { help: "Longest wait for the device.", value: "TIME", default: "5s" },
    wait: { help: "Return as soon as the wish is accepted.", negated: true },
    dryRun: { help: "Check the wishes against the model and change nothing." },
    output: outputOption,
  },
  examples: [
    ["edgeadm device set boiler-1 setpoint=65", "applied, refused with the reason, or pending"],
    ["edgeadm device set boiler-1 setpoint=65 pump=on", "several at once"],
    ["edgeadm device set boiler-1 setpoint=200 --dry-run", "would the model allow it?"],
    ["edgeadm device set boiler-1 setpoint=65 --site http://127.0.0.1:7080", "at the site, without the cloud"],
  ],
  async run({ args, options }, world) {
    const waitMs = parse(duration(), options.timeout, "--timeout", "USAGE_INVALID");
    await using source = await openDevices(options, world);
    const device = await source.get(args.name, world.signal);
    const wishes = parseWishes(device, args.wishes);
    if (options.dryRun) {
      const allowed = wishes.map((wish) => ({ ...wish, allowed: true }));
      show(world, options.output, allowed, () =>
        wishes.map(({ property, value }) => `${device.name} ${property}=${JSON.stringify(value)} is allowed (dry run)`),
      );
      return;
    }
    const outcomes = await source.wish(device, wishes, options.wait ? waitMs : 0, world.signal);
    show(world, options.output, outcomes, () => outcomes.map((outcome) => outcomeLine(device.name, outcome)));
    const waiting = options.wait ? outcomes.filter(({ state }) => state === "pending") : [];
    if (waiting.some(({ reason }) => reason === undefined))
      remark(world, `still pending after ${options.timeout}: it is written as soon as ${device.name} can be reached`);
    if (waiting.some(({ reason }) => reason !== undefined))
      remark(world, `both sides wished at once: see edgeadm device conflicts ${device.name}`);
    const refused = outcomes.filter(({ state }) => state === "refused");
    if (refused.length > 0) throw refusal(device.name, refused);
  },
});

/** A refused wish ends the command with 1, so that scripts notice. */
function refusal(device: string, refused: readonly Outcome[]): Fault {
  const text = refused.map(({ property, reason = "without a reason" }) => `${property}: ${reason}`).join("; ");
  return new Fault("DEVICE_REFUSED", `${device} refused ${text}`);
}
