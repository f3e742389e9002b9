import { connect as dialTls } from "node:tls";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Cloud } from "#cloud/main";
import { type Clock, systemClock } from "#std/clock";
import { eventually } from "../../rigs/eventually.ts";
import { telemetry } from "../../rigs/fake-edge.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { connect, join, plantOn } from "./rig.ts";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

let aheadMs: number;
let hours: (() => void)[];
let cluster: FakeCluster;
let cloud: Cloud;

/** Everything takes its time, but hours pass when the test says so. */
const clock: Clock = {
  ...systemClock,
  now: () => Date.now() + aheadMs,
  sleep: (ms, signal) =>
    ms < HOUR_MS
      ? systemClock.sleep(ms, signal)
      : new Promise((resolve, reject) => {
          hours.push(resolve);
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        }),
};

beforeEach(async () => {
  [aheadMs, hours] = [0, []];
  cluster = await openFakeCluster();
  cloud = await plantOn(cluster, { clock });
});
afterEach(async () => {
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** Serial number of what a door shows to those who come now. */
function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = dialTls({ host: "127.0.0.1", port, ca: cloud.authority }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

async function anHourLater(): Promise<void> {
  for (const wake of hours.splice(0)) wake();
  await eventually(() => hours.length > 0);
}

test("the certificate of the cloud is renewed while it runs, and no connection is lost for it", async () => {
  const { tunnel, join: door } = cloud.endpoints;
  const tls = await join(cloud, "site-a");
  using edge = await connect(cloud, "site-a", { tls });
  await eventually(() => edge.of("welcome").length === 1);
  const first = await shown(tunnel.port);
  await anHourLater();
  expect(await Promise.all([shown(tunnel.port), shown(door.port)])).toEqual([first, first]);
  aheadMs = 1.4 * YEAR_MS;
  await anHourLater();
  const [atTunnel, atDoor] = await Promise.all([shown(tunnel.port), shown(door.port)]);
  expect(atTunnel).not.toBe(first);
  expect(atDoor).toBe(atTunnel);
  aheadMs = 0;
  expect(edge.isClosed).toBe(false);
  edge.say({ kind: "rows", rows: [telemetry(1)] });
  await eventually(() => edge.of("taken").length === 1);
  using next = await connect(cloud, "site-a", { tls });
  await eventually(() => next.of("welcome").length === 1);
  await join(cloud, "site-b");
});
