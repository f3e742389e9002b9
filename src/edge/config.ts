import { driverNames } from "#devices/driver-names";
import { duration } from "#std/duration";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";
import { parseYaml } from "#std/yaml";
import { bridgeConfig, loopback, mqttConfig, port } from "./broker/config.ts";

/** The configuration of a node: `edgeadm run edge --config FILE`. Every default stands here and nowhere else. */
export const edgeConfig = z.strictObject({
  dataDir: z.string().min(1).describe("Folder for the database and the identity; mode 0700."),
  mqtt: mqttConfig.prefault({}),
  bridge: bridgeConfig.optional().describe("Another broker that topics go to or come from."),
  api: z
    .strictObject({
      host: loopback.default("127.0.0.1").describe("Address of the HTTP API."),
      port: port.default(7080).describe("Port of the HTTP API; 0 takes any free one."),
    })
    .prefault({}),
  outbox: z
    .strictObject({
      limitMiB: z.number().min(1).max(1_000_000).default(256).describe("Most that waits for the cloud, in MiB."),
      limitAge: duration(1000).prefault("7d").describe("What waited longer than this is dropped, and told."),
    })
    .prefault({}),
  drivers: driverNames,
  log: z.enum(["debug", "info", "warn", "error", "silent"]).default("info").describe("Least level that is logged."),
});
export type EdgeConfig = z.infer<typeof edgeConfig>;

/** Reads the text of a configuration file. @throws {Fault} `CONFIG_INVALID` naming line or field. */
export function parseEdgeConfig(text: string, file: string): EdgeConfig {
  const found = parseYaml(text, file);
  if (found === undefined) throw new Fault("CONFIG_INVALID", `${file}: is empty; at least dataDir is needed`);
  return parse(edgeConfig, found, file);
}
