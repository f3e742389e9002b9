/** A whole node with a virtual boiler: what applications at the site see over HTTP and MQTT. */
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import mqtt, { type MqttClient } from "mqtt";
import { virtual } from "#drivers/virtual/index";
import { edgeConfig } from "#edge/config";
import { type Edge, openEdge } from "#edge/main";
import { Outbox } from "#edge/outbox";
import { openStore } from "#edge/store";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { openChild } from "../../rigs/child.ts";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { virtualBoiler } from "../../rigs/virtual-boiler.ts";

const config = (rest: object) => edgeConfig.parse({ mqtt: { port: 0 }, api: { port: 0 }, ...rest });
const ports = { drivers: { virtual: async () => virtual() as never }, clock: systemClock, log: silent };
const open = (dataDir: string) =>
  openEdge({ config: config({ dataDir }), identity: undefined, version: "1.2.3" } as never, ports as never);

const dir = folder();
let edge: Edge;
let client: MqttClient;
const heard = new Map<string, string[]>();

beforeAll(async () => {
  edge = await open(dir.path);
  await edge.supervisor.declare(virtualBoiler("boiler-1"));
  client = await mqtt.connectAsync(`mqtt://127.0.0.1:${edge.mqtt.port}`, { reconnectPeriod: 0 });
  client.on("message", (topic, payload) => heard.set(topic, [...(heard.get(topic) ?? []), String(payload)]));
  await client.subscribeAsync(["devices/#", "node/#"]);
});
afterAll(async () => {
  await client.endAsync(true);
  await edge[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const last = (topic: string) => {
  const text = heard.get(topic)?.at(-1);
  return text ? JSON.parse(text) : undefined;
};

async function ask(path: string, rest: RequestInit = {}) {
  const answer = await fetch(edge.api.url + path, rest);
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.includes("json");
  return { status: answer.status, body: isJson ? JSON.parse(text) : text };
}

const put = (path: string, body: unknown) =>
  ask(path, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

describe("over MQTT", () => {
  test("values arrive, retained ones as well", async () => {
    const body = await eventually(() => last("devices/boiler-1/reported/temperature"));
    expect(body).toMatchObject({ value: 21, quality: "good", at: expect.any(Number) });
    const telemetry = await eventually(() => last("devices/boiler-1/telemetry"));
    expect(telemetry).toMatchObject({ values: { temperature: 21, setpoint: 50 } });
    await eventually(() => last("devices/boiler-1/status")?.online === true);
    expect(last("node/status")).toMatchObject({ version: "1.2.3", online: true });
  });

  test("a wish is applied and answered", async () => {
    await client.publishAsync("devices/boiler-1/desired/setpoint/set", '{"value":60,"id":"a"}');
    const answer = await eventually(() => last("devices/boiler-1/desired/setpoint/set/result"));
    expect(answer).toMatchObject({ id: "a", ok: true, state: "applied", value: 60 });
    expect(last("devices/boiler-1/desired/setpoint")).toMatchObject({ value: 60, by: "site", state: "applied" });
  });

  test("only the node speaks for devices", async () => {
    const liar = await mqtt.connectAsync(`mqtt://127.0.0.1:${edge.mqtt.port}`, { reconnectPeriod: 0 });
    liar.on("error", () => undefined);
    liar.publish("devices/boiler-1/reported/temperature", '{"value":999}', { qos: 0 });
    liar.publish("node/status", "lie", { qos: 0 });
    const before = heard.get("devices/boiler-1/telemetry")?.length ?? 0;
    await eventually(() => (heard.get("devices/boiler-1/telemetry")?.length ?? 0) > before + 2);
    expect(heard.get("devices/boiler-1/reported/temperature")?.join()).not.toContain("999");
    expect(heard.get("node/status")).not.toContain("lie");
    await liar.endAsync(true);
  });

  test("nothing that a client publishes ends the node", async () => {
    const odd = ["devices/b\0x/desired/setpoint/set", "devices//desired//set", "devices/é/desired/x/set"];
    for (const topic of odd) {
      const rude = await mqtt.connectAsync(`mqtt://127.0.0.1:${edge.mqtt.port}`, { reconnectPeriod: 0 });
      rude.on("error", () => undefined);
      for (const text of ["{", '{"value":1}']) rude.publish(topic, text, { qos: 0 });
      const before = heard.get("devices/boiler-1/telemetry")?.length ?? 0;
      await eventually(() => (heard.get("devices/boiler-1/telemetry")?.length ?? 0) > before + 2);
      await rude.endAsync(true);
    }
    heard.delete("devices/boiler-1/desired/setpoint/set/result");
    await client.publishAsync("devices/boiler-1/desired/setpoint/set", '{"value":61,"id":"b"}');
    await eventually(() => last("devices/boiler-1/desired/setpoint/set/result")?.id === "b");
  });
});

describe("over HTTP", () => {
  test("the document lists every route, and every route answers", async () => {
    const { body } = await ask("/openapi.json");
    const routes = Object.keys(body.paths as object);
    for (const route of routes) {
      const path = route.replace("{device}", "boiler-1").replace("{property}", "setpoint").replace("{command}", "no");
      const [method = "get"] = Object.keys(body.paths[route]);
      expect([route, (await ask(path, { method: method.toUpperCase() })).status]).not.toEqual([route, 500]);
    }
    expect(routes).toEqual(expect.arrayContaining(["/healthz", "/readyz", "/metrics", "/api/v1/devices/{device}"]));
  });

  test("devices and their properties are shown", async () => {
    expect((await ask("/healthz")).body).toEqual({ status: "ok" });
    expect((await ask("/metrics")).body).toContain("edge_devices_online 1");
    expect((await ask("/api/v1/node")).body).toMatchObject({ version: "1.2.3", devices: 1 });
    expect((await ask("/api/v1/devices")).body.items).toHaveLength(1);
    expect((await ask("/api/v1/devices/boiler-1")).body).toMatchObject({ name: "boiler-1", model: "boiler" });
    const property = await ask("/api/v1/devices/boiler-1/properties/temperature");
    expect(property.body).toMatchObject({ name: "temperature", reported: 21, quality: "good" });
  });

  test.each([
    ["/api/v1/devices/boiler-1/desired/setpoint", { value: 55 }, 200, undefined],
    ["/api/v1/devices/boiler-1/desired/fixed", { value: 1 }, 422, undefined],
    ["/api/v1/devices/boiler-1/desired/setpoint", { value: 1000 }, 400, "VALUE_OUT_OF_RANGE"],
    ["/api/v1/devices/boiler-1/desired/setpoint", { vlaue: 1 }, 400, "MESSAGE_INVALID"],
    ["/api/v1/devices/boiler-1/desired/temperature", { value: 1 }, 400, "PROPERTY_READ_ONLY"],
    ["/api/v1/devices/boiler-1/desired/nothing", { value: 1 }, 404, "PROPERTY_UNKNOWN"],
    ["/api/v1/devices/boiler-9/desired/setpoint", { value: 1 }, 404, "DEVICE_UNKNOWN"],
  ])("PUT %s %j answers %d", async (path, body, status, code) => {
    const answer = await put(path, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("a page of another site is refused by its Host", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const { port } = edge.api;
      const asked = request({ host: "127.0.0.1", port, path: "/api/v1/devices", headers: { host: "evil.example" } });
      asked.on("response", (answer) => resolve(answer.resume().statusCode));
      asked.on("error", reject).end();
    });
    expect(status).toBe(403);
  });
});

test("a port in use is told with who wanted it, and nothing is left open", async () => {
  const taken = config({ dataDir: ":memory:", mqtt: { port: edge.mqtt.port } });
  const second = openEdge({ config: taken, identity: undefined, version: "1" } as never, ports as never);
  await expect(second).rejects.toMatchObject({ code: "PORT_IN_USE" });
});

test("a node that is killed under load has every row that it accepted, and goes on counting", async () => {
  using dir = folder();
  await using child = openChild("edge", { dataDir: dir.path });
  await eventually(() => child.said.length >= 100);
  await child.kill();
  const { seq } = child.said.at(-1) as { seq: number };
  const store = openStore(dir.path, silent);
  const outbox = new Outbox(store.db, { limitBytes: 1e12, limitMs: 1e12 });
  const kept = new Set<number>();
  for (let from = 1; from <= outbox.head; from += 500)
    for (const row of outbox.read(from, from + 499, 1e12)) kept.add(row.seq);
  expect(outbox.head).toBeGreaterThanOrEqual(seq);
  expect(kept.size).toBe(outbox.head);
  store[Symbol.dispose]();
});
