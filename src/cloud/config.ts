import { z } from "#std/schema";
import { sinkConfig } from "./telemetry/config.ts";

const port = z.int().min(0).max(65535);
const GIB = 1024 ** 3;

/** A listening door; closed to other machines unless somebody says otherwise. */
function door(defaultPort: number, description: string) {
  return z
    .strictObject({
      host: z.string().min(1).default("127.0.0.1").describe("Address to listen on; 0.0.0.0 or :: for all."),
      port: port.default(defaultPort).describe("Port to listen on; 0 for any free one."),
    })
    .prefault({})
    .describe(description);
}

/** What a cloud is told at its start: the file that `edgeadm run cloud --config` reads. */
export const cloudConfig = z.strictObject({
  dataDir: z.string().min(1).default("/var/lib/skerry/cloud").describe("Folder for the database and the authority."),
  hosts: z
    .array(z.string().min(1))
    .min(1)
    .default(["127.0.0.1", "localhost"])
    .describe("Names and addresses under which nodes reach this cloud. The first is told to them."),
  tunnel: door(7443, "Where nodes connect."),
  tunnelUrl: z
    .url({ protocol: /^wss$/ })
    .optional()
    .describe("Where nodes dial, when it is not the first host and the tunnel's port: behind a load balancer."),
  join: door(7444, "Where machines become nodes."),
  api: door(7480, "Health, metrics and history, in plain HTTP: keep it on loopback or behind a proxy."),
  kubernetes: z
    .strictObject({
      kubeconfig: z.string().min(1).describe("Path of a kubeconfig."),
      context: z.string().min(1).optional().describe("Context in it; without, its current one."),
    })
    .optional()
    .describe("The cluster that has the Devices. Without it, the embedded registry."),
  telemetry: z
    .strictObject({
      sink: sinkConfig
        .default({ kind: "sqlite" })
        .describe(
          "Where telemetry is kept: sqlite is the cloud's own database, postgres and nats are engines beside it.",
        ),
      keepDays: z.int().min(1).max(3650).default(7).describe("Days that telemetry is kept: a week shows a weekend."),
      keepMinutesDays: z
        .int()
        .min(1)
        .max(36_500)
        .default(90)
        .describe("Days that least, greatest, mean and last value of each minute are kept: a season."),
      keepRows: z.int().min(1000).default(5_000_000).describe("Rows that are kept, at most: about 1 GiB."),
      keepBytes: z
        .int()
        .min(GIB / 64)
        .default(2 * GIB)
        .describe("Bytes of the database, at most; of the rows in postgres, of the stream in nats."),
    })
    .prefault({})
    .describe("How much telemetry is kept. The oldest goes first, and is counted."),
  statusPerSecond: z
    .int()
    .min(1)
    .max(1000)
    .default(50)
    .describe("Statuses written per second, all devices together: a cluster shares its API with others."),
});
/** The configuration of a cloud, with every default filled in. */
export type CloudOptions = z.output<typeof cloudConfig>;
