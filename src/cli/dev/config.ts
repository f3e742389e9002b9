import { driverNames } from "#devices/driver-names";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";
import { parseYaml } from "#std/yaml";

const port = (standard: number, what: string) =>
  z.int().min(0).max(65535).default(standard).describe(`${what}; 0 takes any free port.`);

/** What `edgeadm run dev` is told: the file of `--config`. Everything listens on 127.0.0.1. */
export const devConfig = z.strictObject({
  node: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "lower-case letters, digits and '-'")
    .default("site-a")
    .describe("Name of the edge node."),
  ports: z
    .strictObject({
      mqtt: port(1883, "MQTT broker of the site"),
      edge: port(7080, "HTTP API of the site"),
      registry: port(6440, "Kubernetes API"),
      tunnel: port(7443, "Where nodes connect to the cloud"),
      join: port(7444, "Where machines become nodes"),
      cloud: port(7090, "HTTP API of the cloud"),
      plc: port(5020, "Simulated Modbus TCP PLC"),
    })
    .prefault({})
    .describe("Where each part listens."),
  drivers: driverNames,
});
export type DevConfig = z.output<typeof devConfig>;
export type PortName = keyof DevConfig["ports"];

/** Reads the text of a configuration file, and ports from the command line, which win. @throws {Fault} `CONFIG_INVALID` */
export function parseDevConfig(text: string, file: string, ports: readonly string[]): DevConfig {
  const config = parse(devConfig, parseYaml(text, file) ?? {}, file);
  const given = ports.map((text) => {
    const [, name = "", port = ""] = /^(\w+)=(\d+)$/.exec(text) ?? [];
    if (Object.hasOwn(config.ports, name) && Number(port) <= 65535) return [name, Number(port)];
    const known = Object.keys(config.ports).join(", ");
    throw new Fault("USAGE_INVALID", `--port ${text}: expected NAME=PORT with one of ${known}`);
  });
  return { ...config, ports: { ...config.ports, ...Object.fromEntries(given) } };
}
