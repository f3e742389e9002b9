import { resolve } from "node:path";
import { cloudConfig } from "#cloud/config";
import { driverNames } from "#devices/driver-names";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";
import { parseYaml } from "#std/yaml";
import { readText } from "./read-file.ts";

const registry = z
  .strictObject({
    host: z.string().min(1).default("127.0.0.1").describe("Address of the Kubernetes API."),
    port: z.int().min(0).max(65535).default(6440).describe("Port of the Kubernetes API; 0 takes any free one."),
  })
  .describe("Run the embedded registry here. Its kubeconfig is written into dataDir.");

const log = z
  .enum(["debug", "info", "warn", "error", "silent"])
  .default("info")
  .describe("Least level that is logged.");

/** The file of `edgeadm run cloud --config`: what the cloud is told, and what the program around it is. */
export const cloudFile = cloudConfig
  .extend({ registry: registry.optional(), drivers: driverNames, log })
  .superRefine((file, context) => {
    const wrong = (message: string) => context.addIssue({ code: "custom", path: [], message });
    if (file.registry && file.kubernetes) wrong("give either kubernetes or registry, not both");
    if (!file.registry && !file.kubernetes)
      wrong("give kubernetes: { kubeconfig: FILE }, or registry: {} for the embedded one");
  });
export type CloudFile = z.output<typeof cloudFile>;

/** Reads the file, its paths from the working directory. @throws {Fault} `CONFIG_INVALID` */
export function readCloudFile(file: string, cwd: string): CloudFile {
  const found = parseYaml(readText(resolve(cwd, file)), file);
  if (found === undefined) throw new Fault("CONFIG_INVALID", `${file}: is empty`);
  const read = parse(cloudFile, found, file);
  return { ...read, dataDir: resolve(cwd, read.dataDir) };
}
