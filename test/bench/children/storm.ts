/** A cloud with one device for each of many nodes, in a process that can be killed. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { cloudConfig } from "#cloud/config";
import { openCloud } from "#cloud/main";
import { deviceKind, modelKind } from "#devices/crd";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { openFakeCluster } from "../../unit/cloud/fake-cluster.ts";
import { boiler, boilerModel } from "../../unit/cloud/rig.ts";
import { childOptions, serveParent } from "../child.ts";

const { dataDir, port, nodes } = childOptions<{ dataDir: string; port: number; nodes: number }>();
const cluster = await openFakeCluster();
cluster.apply(modelKind, boilerModel);
for (let i = 0; i < nodes; i++) cluster.apply(deviceKind, boiler(`boiler-${i}`, `site-${i}`));
const door = { port: 0 };
const config = cloudConfig.parse({ dataDir, tunnel: { port }, join: door, api: door, statusPerSecond: 200 });
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
const cloud = await openCloud(config, { log: silent, clock: systemClock, kubeconfig: cluster.access });
serveParent(
  {},
  async () => {
    await cloud[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  },
  () => ({ rssBytes: process.resourceUsage().maxRSS * 1024, loopMs: delay.percentile(99) / 1e6 }),
);
