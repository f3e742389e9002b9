import { resolve } from "node:path";
import { GROUP, VERSION } from "#devices/model";
import type { Found } from "#drivers/opcua/browse";
import { Fault } from "#std/fault";
import { parse } from "#std/schema";
import { printYaml } from "#std/yaml";
import { command } from "../command.ts";
import { integer } from "../devices/probe-target.ts";
import { selector } from "../devices/select.ts";
import { outputOption, show } from "../output.ts";
import { table } from "../table.ts";
import { remark } from "../world.ts";

export const deviceBrowse = command({
  name: "device browse",
  summary: "List what is in an OPC UA server, and write a DeviceModel from a selection.",
  details:
    "Patterns select paths: * is within a part, ** any number of parts. With --model the selected variables become the " +
    "properties of a DeviceModel, as YAML on standard output. A server is known by --fingerprint, or by what was accepted " +
    "in --data-dir; --insecure talks to one without any security.",
  args: {
    protocol: { help: "Protocol of the server.", choices: ["opcua"] },
    url: { help: "Such as opc.tcp://10.0.0.7:4840." },
  },
  options: {
    depth: { help: "Levels below the start.", value: "N", default: "8" },
    from: { help: "Node id to begin at; without it, the folder Objects.", value: "NODEID" },
    select: { help: "Only paths that fit, such as 'Boiler/**'.", short: "s", value: "PATTERN", many: true },
    model: { help: "Write a DeviceModel of this name.", short: "m", value: "NAME" },
    insecure: { help: "Talk without signatures and encryption." },
    fingerprint: { help: "SHA-256 of the certificate that the server must show.", value: "HEX" },
    dataDir: { help: "A node's data directory, with its certificate and its decisions.", value: "DIR" },
    user: { help: "Name of a user.", value: "NAME" },
    passwordFile: { help: "File with the user's password.", value: "FILE" },
    output: outputOption,
  },
  examples: [
    ["edgeadm device browse opcua opc.tcp://127.0.0.1:4840 --insecure", "everything that is there"],
    ["edgeadm device browse opcua opc.tcp://plc:4840 -s 'Line/**' --model line > line.yaml", "a model of a part"],
  ],
  async run({ args, options }, world) {
    const { insecure, fingerprint, dataDir, user, passwordFile, from, model, output } = options;
    if ((user === undefined) !== (passwordFile === undefined))
      throw new Fault("USAGE_INVALID", "--user and --password-file belong together");
    const depth = integer("--depth", options.depth, 1, 64);
    const { opcua } = await import("#drivers/opcua/index");
    const driver = opcua(dataDir === undefined ? {} : { trustDir: resolve(world.cwd, dataDir, "opcua") });
    const link = parse(
      driver.server,
      {
        endpoint: args.url,
        ...(insecure ? { security: { mode: "None", insecure: true } } : {}),
        ...(fingerprint === undefined ? {} : { trust: { fingerprint } }),
        ...(user === undefined ? {} : { user: { name: user, passwordFrom: { file: passwordFile } } }),
      },
      "the server",
      "USAGE_INVALID",
    );
    const isSelected = selector(options.select);
    const found: Found[] = [];
    const browsing = driver.browse(link, { depth, ...(from === undefined ? {} : { from }) }, world.signal);
    for await (const one of browsing) if (isSelected(one.path)) found.push(one);
    if (model === undefined) return show(world, output, found, () => foundLines(found));
    const { modelOf } = await import("#drivers/opcua/model");
    const manifest = modelOf(found, model, `${GROUP}/${VERSION}`);
    const count = manifest.spec.properties.length;
    if (count === 0) throw new Fault("USAGE_INVALID", "no variable that can be read or written is selected");
    world.out.write(output === "json" ? `${JSON.stringify(manifest, null, 2)}\n` : printYaml(manifest));
    remark(world, `${count} properties of ${found.length} nodes`);
  },
});

function foundLines(found: readonly Found[]): readonly string[] {
  const rows = found.map(({ path, class: kind, type = "", access = "", value = "", nodeId }) => [
    path,
    type === "" ? kind : type,
    access,
    nodeId,
    value,
  ]);
  return table(["PATH", "TYPE", "ACCESS", "NODE", "VALUE"], rows);
}
