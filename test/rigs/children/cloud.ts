/** A cloud in a process of its own, so that a test can kill it. */
import { type CloudOptions, cloudConfig } from "#cloud/config";
import { openCloud } from "#cloud/main";
import { systemClock } from "#std/clock";
import { openLog } from "#std/log";
import { parse, z } from "#std/schema";

/** What the test sends as JSON: the configuration and the text of a kubeconfig. */
const options = z.object({ config: z.unknown(), kubeconfig: z.string() });

const { config, kubeconfig } = parse(options, JSON.parse(process.argv[2] ?? "{}"), "the arguments");
const parsed: CloudOptions = parse(cloudConfig, config, "the configuration");
const cloud = await openCloud(parsed, {
  clock: systemClock,
  log: openLog({ level: "info" }),
  kubeconfig: { text: kubeconfig },
});
process.on("message", async (message) => {
  if (message === "token") process.send?.({ token: cloud.createToken("site-a") });
  if (message === "history") process.send?.({ history: await cloud.history("default", "boiler-1", { limit: 10_000 }) });
});
process.send?.({ join: cloud.urls.join });
