import { cloudConfig } from "#cloud/config";
import { type Cloud, openCloud } from "#cloud/main";
import { deviceKind, modelKind } from "#devices/crd";
import { systemClock } from "#std/clock";
import { type Log, silent } from "#std/log";
import { openHttpClient } from "#std/undici";
import { createRequest } from "#std/x509";
import type { CarrierTls } from "#wire/carrier";
import { joinAnswer } from "#wire/join";
import { eventually } from "../../rigs/eventually.ts";
import { type FakeEdge, type FakeEdgeOptions, fakeEdge } from "../../rigs/fake-edge.ts";
import type { FakeCluster } from "./fake-cluster.ts";

const signal = new AbortController().signal;

/** A cloud on free ports, in memory unless it has a folder. */
export function cloudOn(
  cluster: FakeCluster,
  {
    dataDir = ":memory:",
    tunnelPort = 0,
    log = silent,
    ...rest
  }: { dataDir?: string; tunnelPort?: number; log?: Log } & Partial<Parameters<typeof openCloud>[1]> = {},
): Promise<Cloud> {
  const door = { port: 0 };
  const options = cloudConfig.parse({
    dataDir,
    tunnel: { port: tunnelPort },
    join: door,
    api: door,
    statusPerSecond: 500,
  });
  return openCloud(options, { log, clock: systemClock, kubeconfig: cluster.access, ...rest });
}

/** A cloud that knows `boiler-1` and `boiler-2` of `site-a`. */
export async function plantOn(cluster: FakeCluster, rest: Parameters<typeof cloudOn>[1] = {}): Promise<Cloud> {
  cluster.apply(modelKind, boilerModel);
  for (const name of ["boiler-1", "boiler-2"]) cluster.apply(deviceKind, boiler(name, "site-a"));
  const cloud = await cloudOn(cluster, rest);
  await isReady(cloud);
  return cloud;
}

/** Resolves when the cloud knows the cluster. */
export async function isReady(cloud: Cloud): Promise<void> {
  await using client = openHttpClient({ url: cloud.urls.api });
  await eventually(async () => (await client.request({ method: "GET", path: "/readyz" }, signal)).status === 200);
}

/** Joins as a machine would, and returns what it holds from then on. */
export async function join(cloud: Cloud, node: string): Promise<CarrierTls> {
  const { request, key } = await createRequest("anything");
  const { status, body } = await post(cloud, { token: cloud.createToken(node), request });
  if (status !== 200) throw new Error(`joining answered ${status}: ${JSON.stringify(body)}`);
  const { certificate, authority } = joinAnswer.parse(body);
  return { certificate, key, authority };
}

/** Posts to the join door, trusting the cloud's authority. */
export async function post(cloud: Cloud, body: object): Promise<{ status: number; body: unknown }> {
  await using client = openHttpClient({ url: cloud.urls.join, tls: { authority: cloud.authority } });
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", path: "/v1/join", headers, body: JSON.stringify(body) } as const;
  const answer = await client.request(request, signal);
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}

/** A node of that name that joined and is connected. */
export async function connect(cloud: Cloud, node: string, rest: Partial<FakeEdgeOptions> = {}): Promise<FakeEdge> {
  return fakeEdge({ url: cloud.urls.tunnel, tls: rest.tls ?? (await join(cloud, node)), ...rest });
}

export const boilerModel = {
  metadata: { name: "boiler", namespace: "default" },
  spec: {
    protocol: "virtual",
    properties: [
      { name: "temperature", type: "number", address: { formula: "20 + t" } },
      { name: "setpoint", type: "number", access: "readwrite", address: { memory: 20 } },
    ],
  },
};

/** A boiler on a node. */
export function boiler(name: string, node: string, spec: object = {}, namespace = "default") {
  return { metadata: { name, namespace }, spec: { model: "boiler", node, ...spec } };
}

export { deviceKind, modelKind };
