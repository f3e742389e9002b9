import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { cloudConfig } from "#cloud/config";
import { type Cloud, openCloud } from "#cloud/main";
import type { DeviceStatus } from "#devices/crd";
import { drivers } from "#drivers/index";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { eventually } from "../../rigs/eventually.ts";
import { answering, type FakeEdge } from "../../rigs/fake-edge.ts";
import { openTestRegistry, type TestRegistry } from "../../rigs/registry.ts";
import { boiler, boilerModel, connect } from "./rig.ts";

const BASE = "/apis/devices.skerry.dev/v1alpha1";
const type = { apiVersion: "devices.skerry.dev/v1alpha1" };
const door = { port: 0 };

let registry: TestRegistry;
let cloud: Cloud;
let edge: FakeEdge;

beforeEach(async () => {
  registry = await openTestRegistry();
  const options = cloudConfig.parse({ dataDir: ":memory:", tunnel: door, join: door, api: door });
  const kubeconfig = { text: registry.kubeconfig };
  cloud = await openCloud(options, { log: silent, clock: systemClock, kubeconfig, schemas: drivers });
  edge = await connect(cloud, "site-a");
  await eventually(() => edge.of("roster").length === 1);
});
afterEach(async () => {
  edge[Symbol.dispose]();
  await cloud[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function ask(method: string, path: string, body?: object) {
  const answer = await registry.admin.request(method, path, body);
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.body as { metadata: { uid: string; generation: number }; status?: DeviceStatus; items: object[] };
}

async function applyBoiler(name = "boiler-1") {
  await ask("POST", `${BASE}/namespaces/default/devicemodels`, { ...type, kind: "DeviceModel", ...boilerModel });
  return ask("POST", `${BASE}/namespaces/default/devices`, { ...type, kind: "Device", ...boiler(name, "site-a") });
}

test("on the embedded registry a Device goes down to its node and its state comes up again", async () => {
  const { metadata } = await applyBoiler();
  const [told] = await eventually(() => edge.of("device").length > 0 && edge.of("device"));
  expect(told?.device).toMatchObject({ uid: metadata.uid, generation: 1, modelGeneration: 1 });
  edge.say({ kind: "report", report: answering({ uid: metadata.uid, name: "boiler-1" }, { lastSeen: Date.now() }) });
  const path = `${BASE}/namespaces/default/devices/boiler-1`;
  const { status, metadata: after } = await eventually(async () => {
    const device = await ask("GET", path);
    return device.status?.conditions?.some(({ reason }) => reason === "Answering") && device;
  });
  expect(status?.properties?.[0]).toMatchObject({ name: "temperature", reported: 21.5, quality: "good" });
  expect(after.generation).toBe(1);
  await registry.admin.request(
    "PATCH",
    path,
    { spec: { desired: { setpoint: 60 } } },
    { "content-type": "application/merge-patch+json" },
  );
  await eventually(() => edge.of("device").at(-1)?.device.generation === 2);
  await ask("DELETE", path);
  await eventually(() => edge.of("gone").some(({ uid }) => uid === metadata.uid));
});

test("on the embedded registry what happens at a site is an event of its Device, once", async () => {
  const { metadata } = await applyBoiler();
  await eventually(() => edge.of("device").length === 1);
  const body = JSON.stringify({ type: "Warning", reason: "LINK_LOST", message: "nobody answers", uid: metadata.uid });
  const row = { seq: 1, kind: "event" as const, namespace: "default", device: "boiler-1", at: Date.now(), body };
  edge.say({ kind: "rows", rows: [row] });
  edge.say({ kind: "rows", rows: [row] });
  await eventually(() => edge.of("taken").length === 2);
  const selector = encodeURIComponent(`involvedObject.uid=${metadata.uid}`);
  const path = `/api/v1/namespaces/default/events?fieldSelector=${selector}`;
  const { items } = await eventually(async () => {
    const list = await ask("GET", path);
    return list.items.length > 0 && list;
  });
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({ reason: "LINK_LOST", source: { host: "site-a" } });
});
