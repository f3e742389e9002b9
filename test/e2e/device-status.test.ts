/** What the cluster shows of a device, through the whole way: registry, cloud, node and a simulated PLC. */
import { expect, test } from "@jest/globals";
import { cloudConfig } from "#cloud/config";
import { openCloud } from "#cloud/main";
import type { DeviceStatus } from "#devices/crd";
import { drivers } from "#drivers/index";
import { openSimulator, type Simulator } from "#drivers/modbus/simulator";
import { blankUnit } from "#drivers/modbus/unit";
import { edgeConfig } from "#edge/config";
import { joinCloud } from "#edge/join";
import { openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { Scope } from "#std/scope";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { freePort } from "../rigs/free-port.ts";
import { openTestRegistry, type TestClient } from "../rigs/registry.ts";

const API = "/apis/devices.skerry.dev/v1alpha1/namespaces/default";
const identity = { vendor: "Acme", product: "PM 300", revision: "1.2" };

test("a device shows its link, its identity, a bad address and a change that is not accepted", async () => {
  await using scope = new Scope();
  const units = new Map([[1, { ...blankUnit({ holding: 4 }), identity }]]);
  let plc: Simulator | undefined = await openSimulator({ host: "127.0.0.1", port: 0, units });
  scope.use({ [Symbol.asyncDispose]: async () => await plc?.[Symbol.asyncDispose]() });
  const { port } = plc;
  const { admin } = scope.use(await openSite(scope));

  await create(admin, "devicemodels", "meter", {
    protocol: "modbus",
    properties: [property("power", 0), property("broken", 9)],
  });
  await create(admin, "devices", "meter-1", spec(port));
  const shown = await eventually(async () => {
    const status = await statusOf(admin);
    return status.identity && ready(status)?.reason === "PropertiesBad" && status;
  });
  expect(shown).toMatchObject({ identity, link: { state: "up", failures: 0, since: expect.any(String) } });
  expect(ready(shown)).toMatchObject({ status: "True", message: expect.stringContaining("broken: DEVICE_REFUSED") });

  await patch(admin, { addresses: { broken: { table: "holding", register: 70_000 } } });
  const refused = await eventually(async () => {
    const status = await statusOf(admin);
    return ready(status)?.reason === "Outdated" && status;
  });
  expect(conditionOf(refused, "Accepted")).toMatchObject({ status: "False", reason: "CONFIG_INVALID" });
  const row = { Accepted: "False", Ready: "True", Reason: "Outdated", Link: "up" };
  expect(await tableRow(admin)).toMatchObject(row);

  await plc[Symbol.asyncDispose]();
  plc = undefined;
  const away = await eventually(async () => {
    const status = await statusOf(admin);
    return (status.link?.failures ?? 0) >= 2 && status.link?.state === "waiting" && status;
  }, 30_000);
  expect(away.link?.reason).toMatch(/^LINK_LOST: /);
  expect(ready(away)).toMatchObject({ status: "False", reason: "LINK_LOST" });
  expect(away.identity).toEqual(identity);
}, 60_000);

test("a declaration that its node can not drive is not accepted", async () => {
  await using scope = new Scope();
  const { admin } = scope.use(await openSite(scope));
  const power = { name: "power", type: "number", address: { formula: "1 +" } };
  await create(admin, "devicemodels", "meter", { protocol: "virtual", properties: [power] });
  await create(admin, "devices", "meter-1", { model: "meter", node: "site-a" });
  await eventually(async () => ready(await statusOf(admin))?.reason === "CONFIG_INVALID");
  const row = { Accepted: "False", Ready: "False", Reason: "CONFIG_INVALID" };
  expect(await tableRow(admin)).toMatchObject(row);
  expect(conditionOf(await statusOf(admin), "Accepted")?.message).toContain("address of power");
}, 30_000);

const property = (name: string, register: number) => ({
  name,
  type: "integer",
  every: "100ms",
  address: { table: "holding", register },
});
const spec = (port: number) => ({
  model: "meter",
  node: "site-a",
  link: { host: "127.0.0.1", port },
  station: { maxGap: 0 },
});

async function openSite(scope: Scope): Promise<{ readonly admin: TestClient } & AsyncDisposable> {
  const registry = scope.use(await openTestRegistry());
  const { path } = scope.use(folder());
  const config = {
    dataDir: `${path}/cloud`,
    tunnel: { port: await freePort() },
    join: { port: await freePort() },
    api: { port: 0 },
  };
  // A driver that only the node has, as one of others may be.
  const { virtual: _, ...schemas } = drivers;
  const ports = { clock: systemClock, log: silent, kubeconfig: { text: registry.kubeconfig }, schemas };
  const cloud = scope.use(await openCloud(cloudConfig.parse(config), ports));
  const identity = await joinCloud(cloud.urls.join, cloud.createToken("site-a"), new AbortController().signal);
  const options = {
    config: edgeConfig.parse({ dataDir: `${path}/edge`, mqtt: { port: 0 }, api: { port: 0 } }),
    identity,
    version: "test",
  };
  const edge = await openEdge(options, { drivers, clock: systemClock, log: silent });
  const { admin } = registry;
  await eventually(async () => (await admin.request("GET", `${API}/devices`)).status === 200);
  return { admin, [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose]() };
}

async function create(admin: TestClient, plural: string, name: string, spec: object): Promise<void> {
  const kind = plural === "devices" ? "Device" : "DeviceModel";
  const object = { apiVersion: "devices.skerry.dev/v1alpha1", kind, metadata: { name }, spec };
  expect((await admin.request("POST", `${API}/${plural}`, object)).status).toBe(201);
}

async function patch(admin: TestClient, spec: object): Promise<void> {
  const headers = { "content-type": "application/merge-patch+json" };
  expect((await admin.request("PATCH", `${API}/devices/meter-1`, { spec }, headers)).status).toBe(200);
}

async function statusOf(admin: TestClient): Promise<DeviceStatus> {
  const { body } = await admin.request("GET", `${API}/devices/meter-1`);
  return (body as { status?: DeviceStatus }).status ?? {};
}

/** The row that `kubectl get devices -o wide` prints, by its columns. */
async function tableRow(admin: TestClient): Promise<Record<string, unknown>> {
  const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const { body } = await admin.request("GET", `${API}/devices`, undefined, { accept });
  const { columnDefinitions = [], rows = [] } = body as {
    columnDefinitions?: { name: string }[];
    rows?: { cells: unknown[] }[];
  };
  return Object.fromEntries(columnDefinitions.map(({ name }, i) => [name, rows[0]?.cells[i]]));
}

function conditionOf({ conditions = [] }: DeviceStatus, type: string) {
  return conditions.find((condition) => condition.type === type);
}

function ready(status: DeviceStatus) {
  return conditionOf(status, "Ready");
}
