import type { DevicePlan } from "#edge/devices/plan";
import { Fault } from "#std/fault";
import { command } from "../command.ts";
import { planLines } from "../devices/plan-lines.ts";
import { devicePath, openSite, siteOption } from "../devices/site-client.ts";
import { outputOption, show } from "../output.ts";
import { driverOption, withDriverOption } from "../third-party.ts";
import type { World } from "../world.ts";

export const devicePlan = command({
  name: "device plan",
  summary: "Show how a device is read: requests, what is asked and wasted, and how long it takes.",
  details:
    "With a name the node answers, with what it has measured and learned. With --file the Devices of YAML files are " +
    "planned here, before anything is saved; their DeviceModels stand in the same files.",
  args: { name: { help: "Name of the device; with --file one of the files', or all.", optional: true } },
  options: {
    site: siteOption,
    file: { help: "Plan the Devices of YAML files instead; no node is needed.", short: "f", value: "FILE", many: true },
    driver: driverOption,
    output: outputOption,
  },
  examples: [
    ["edgeadm device plan boiler-1", "as the node does it now"],
    ["edgeadm device plan --file model.yaml --file device.yaml", "before it is applied"],
  ],
  async run({ args: { name }, options: { site, file, driver, output } }, world) {
    const isNode = file.length === 0;
    const plans = isNode ? [await askNode(name, site, world)] : await planFiles({ files: file, name, driver }, world);
    const now = world.clock.now();
    show(world, output, isNode ? plans[0] : plans, () =>
      plans.flatMap((plan, i) => [...(i === 0 ? [] : [""]), ...planLines(plan, now)]),
    );
  },
});

async function askNode(name: string | undefined, url: string, { signal }: World): Promise<DevicePlan> {
  if (name === undefined)
    throw new Fault("USAGE_INVALID", "a device is missing", { hint: "Name one, or plan a file with --file." });
  await using site = openSite(url);
  return (await site.ask({ method: "GET", path: devicePath(name, "plan") }, signal)) as DevicePlan;
}

interface Planned {
  readonly files: readonly string[];
  readonly name: string | undefined;
  readonly driver: readonly string[];
}

async function planFiles({ files, name, driver }: Planned, { cwd }: World): Promise<readonly DevicePlan[]> {
  const [{ drivers }, { planOf }, { deviceOf, driverOf, pairsOf, readManifests }] = await Promise.all([
    import("#drivers/index"),
    import("#edge/devices/plan"),
    import("../devices/manifests.ts"),
  ]);
  const table = withDriverOption(drivers, driver, cwd);
  const manifests = files.flatMap((file) => readManifests(file, cwd));
  const pairs = pairsOf(manifests).filter(({ device }) => name === undefined || device.metadata.name === name);
  if (pairs.length === 0)
    throw new Fault(
      "DEVICE_UNKNOWN",
      `there is no Device${name === undefined ? "" : ` ${name}`} in ${files.join(", ")}`,
    );
  return await Promise.all(
    pairs.map(async (pair) => {
      const driver = await driverOf(table, pair.protocol);
      return planOf(deviceOf(pair, driver), driver);
    }),
  );
}
