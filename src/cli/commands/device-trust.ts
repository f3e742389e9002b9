import { join } from "node:path";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";
import { command } from "../command.ts";
import { devicePath, openSite, siteOption } from "../devices/site-client.ts";
import { decisionOf, trustLines } from "../devices/trust-lines.ts";
import { outputOption, show } from "../output.ts";

const answered = z.object({ bus: z.object({ link: z.object({ protocol: z.string(), settings: z.looseObject({}) }) }) });
const node = z.object({ dataDir: z.string() });

export const deviceTrust = command({
  name: "device trust",
  summary: "Show who presents a certificate at a device's link, and accept or reject it.",
  details:
    "For OPC UA. Run it on the machine and as the user of the node: the decision is a file in the node's data directory. " +
    "Compare the thumbprint with what the server's own tools show, then accept exactly that fingerprint.",
  args: { name: { help: "Name of the device." } },
  options: {
    site: siteOption,
    dataDir: { help: "The node's data directory; without it, the node says where it is.", value: "DIR" },
    accept: { help: "Trust the certificate with this fingerprint at this endpoint.", value: "FINGERPRINT" },
    reject: { help: "Do not trust the certificate that is presented." },
    output: outputOption,
  },
  examples: [
    ["edgeadm device trust line-1", "who is there? nothing is changed"],
    ["edgeadm device trust line-1 --accept 3f5a…", "from now on the node talks to it"],
  ],
  async run({ args, options }, world) {
    const { accept, reject, output } = options;
    if (accept !== undefined && reject) throw new Fault("USAGE_INVALID", "give --accept or --reject, not both");
    await using site = openSite(options.site);
    const why = await site.ask({ method: "GET", path: devicePath(args.name, "why") }, world.signal);
    const { success, data } = answered.safeParse(why);
    if (!success) throw new Fault("DEVICE_UNKNOWN", `${args.name} does not run`, { hint: "See edgeadm device why." });
    const { protocol, settings } = data.bus.link;
    if (protocol !== "opcua")
      throw new Fault("USAGE_INVALID", `${args.name} speaks ${protocol}, which has no certificates to decide about`);
    if (!("endpoint" in settings))
      throw new Fault("USAGE_INVALID", `${args.name} plays back a recording: there is no server to decide about`);
    const told = await site.ask({ method: "GET", path: "/api/v1/node" }, world.signal);
    const dataDir = options.dataDir ?? parse(node, told, "the node's answer", "MESSAGE_INVALID").dataDir;

    const { opcua } = await import("#drivers/opcua/index");
    const driver = opcua({ trustDir: join(dataDir, "opcua") });
    const presented = await driver.presented(settings as Parameters<typeof driver.presented>[0], world.signal);
    const decision = decisionOf(presented, accept, reject);
    if (decision) {
      await driver.trust[decision](presented.endpoint, presented).catch((cause: unknown) => {
        throw new Fault("PERMISSION_MISSING", `the decision can not be written into ${dataDir}`, { cause });
      });
    }
    const { state } = (await driver.trust.find(presented.endpoint, presented.fingerprint)) ?? { state: "undecided" };
    const result = { device: args.name, ...presented, state };
    show(world, output, result, () => trustLines(result, world.clock.now()));
  },
});
