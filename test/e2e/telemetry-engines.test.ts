/** A node, a cloud as its user starts it, and a telemetry engine that is killed: what the site heard is what is told. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import mqtt from "mqtt";
import type { SinkConfig } from "#cloud/telemetry/config";
import { drivers } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { joinCloud } from "#edge/join";
import { type Edge, openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { Scope } from "#std/scope";
import { engines } from "../rigs/engines.ts";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { freePort } from "../rigs/free-port.ts";
import { openTestRegistry, type TestClient } from "../rigs/registry.ts";

const edgeadm = resolve("bin/edgeadm");
const DEVICES = "/apis/devices.skerry.dev/v1alpha1/namespaces/default";
const signal = new AbortController().signal;
const LIMIT_MS = 60_000;

/** One message, as the site's applications got it or as the cloud tells it. */
interface Message {
  readonly at: number;
  readonly seq: number;
  readonly values: Readonly<Record<string, unknown>>;
}

interface Site {
  readonly edge: Edge;
  readonly registry: TestClient;
  /** What applications heard. */
  readonly heard: readonly Message[];
  /** What the command prints. */
  ask(...args: string[]): Promise<string>;
  /** What the cloud's HTTP API answers. */
  get(path: string): Promise<string>;
}

describe("the cloud's own database", () => {
  test("tells what the site heard", async () => {
    await using scope = new Scope();
    const site = await openSite({ kind: "sqlite" }, scope);
    await eventually(() => site.heard.length > 20, LIMIT_MS);
    await sameOnBothSides(site);
  }, 120_000);
});

describe.each(engines)("$name", (engine) => {
  if (engine.obstacle) return test.skip(`is not tried here: ${engine.obstacle}`, () => {});
  test("tells what the site heard, although it was killed; meanwhile wishes are fulfilled", async () => {
    await using scope = new Scope();
    const server = scope.use(await engine.open());
    const site = await openSite(engine.config(server.port), scope);
    await eventually(() => site.heard.length > 20, LIMIT_MS);
    expect(JSON.parse(await site.get("/healthz"))).toEqual({ ok: true, telemetry: "kept" });

    await server.stop("SIGKILL");
    await eventually(async () => (await site.get("/healthz")).includes("away"), LIMIT_MS);
    expect(await site.get("/metrics")).toMatch(/^cloud_telemetry_up 0$/m);
    expect(await site.ask("telemetry", "query", "boiler-1")).toMatch(/^1 edgeadm: .* is away\nhint: /);
    await wish(site.registry, 33);
    await eventually(async () => (await stateOf(site.registry, "setpoint")) === "applied 33", LIMIT_MS);
    const before = site.heard.length;
    await eventually(() => site.heard.length > before + 30, LIMIT_MS);
    expect(site.edge.state().backlog).toBeGreaterThan(30);

    await server.start();
    await eventually(async () => (await site.get("/healthz")).includes("kept"), LIMIT_MS);
    await sameOnBothSides(site);
  }, 180_000);
  return undefined;
});

/** Stops the device, so that both histories can be compared whole, and compares them. */
async function sameOnBothSides({ edge, heard, ask }: Site): Promise<void> {
  // With a new connection everything is declared anew, so it must be there before.
  await eventually(() => edge.state().backlog < 10, LIMIT_MS);
  await edge.supervisor.remove([...edge.twins.all][0]?.declared.uid ?? "");
  await eventually(() => edge.state().backlog === 0, LIMIT_MS);
  const query = (...rest: string[]) => ask("telemetry", "query", "boiler-1", ...rest);
  const told = JSON.parse((await query("--limit", "10000", "-o", "json")).slice(2)) as Message[];
  const [first = 0] = heard.map(({ seq }) => seq);
  const plain = ({ at, seq, values }: Message) => ({ at, seq, values });
  expect(told.filter(({ seq }) => seq >= first).map(plain)).toEqual(heard.map(plain));
  expect(await query("--verify")).toMatch(new RegExp(`^0 ${told.length} messages checked: 0 doubled, 0 holes`));
  const minutes = JSON.parse((await query("temperature", "--every", "1m", "-o", "json")).slice(2)) as Bucket[];
  expect(minutes.reduce((sum, { count }) => sum + count, 0)).toBe(told.length);
  const values = told.map(({ values }) => Number(values.temperature));
  expect(Math.max(...minutes.map(({ max }) => max))).toBe(Math.max(...values));
}

interface Bucket {
  readonly count: number;
  readonly max: number;
}

/** A node with a boiler, and a cloud beside it in a process of its own. */
async function openSite(sink: SinkConfig, scope: Scope): Promise<Site> {
  const { path } = scope.use(folder());
  const registry = scope.use(await openTestRegistry());
  writeFileSync(join(path, "kubeconfig"), registry.kubeconfig);
  const [tunnel, joining, api] = [await freePort(), await freePort(), await freePort()];
  const config = {
    dataDir: join(path, "cloud"),
    hosts: ["127.0.0.1"],
    tunnel: { port: tunnel },
    join: { port: joining },
    api: { port: api },
    kubernetes: { kubeconfig: join(path, "kubeconfig") },
    telemetry: { sink, keepBytes: 2 ** 28 },
    log: "silent",
  };
  const file = join(path, "cloud.yaml");
  writeFileSync(file, JSON.stringify(config));
  const get = async (at: string) => (await fetch(`http://127.0.0.1:${api}${at}`)).text();
  const ask = (...args: string[]) =>
    run([...args, ...(args[0] === "telemetry" ? ["--cloud", `http://127.0.0.1:${api}`] : [])]);
  const cloud = spawn(process.execPath, [edgeadm, "run", "cloud", "--config", file], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  scope.use({ [Symbol.asyncDispose]: () => end(cloud) });
  await eventually(async () => (await get("/readyz")).includes("true"), LIMIT_MS);
  const token = (await ask("token", "create", "site-a", "--config", file)).split(/\s/)[1] ?? "";
  const identity = await joinCloud(`https://127.0.0.1:${joining}`, token, signal);
  const edge = scope.use(
    await openEdge(
      {
        config: edgeConfig.parse({ dataDir: `${path}/edge`, mqtt: { port: 0 }, api: { port: 0 } }),
        identity,
        version: "test",
      },
      { drivers, clock: systemClock, log: silent },
    ),
  );
  const heard: Message[] = [];
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${edge.mqtt.port}`);
  scope.use({ [Symbol.asyncDispose]: () => client.endAsync() });
  client.on("message", (_, payload) => heard.push(JSON.parse(payload.toString()) as Message));
  await client.subscribeAsync("devices/boiler-1/telemetry");
  await create(registry.admin, "devicemodels", model);
  await create(registry.admin, "devices", device);
  return { edge, registry: registry.admin, heard, ask, get };
}

/** The exit code, and what was printed. */
function run(args: readonly string[]): Promise<string> {
  return new Promise((done) => {
    execFile(process.execPath, [edgeadm, ...args], { maxBuffer: 2 ** 26 }, (error, out, err) =>
      done(`${error ? Number(error.code ?? -1) : 0} ${error ? err : out}`),
    );
  });
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null) return;
  const ended = once(process, "exit");
  process.kill("SIGTERM");
  await ended;
}

const model = {
  apiVersion: "devices.skerry.dev/v1alpha1",
  kind: "DeviceModel",
  metadata: { name: "boiler" },
  spec: {
    protocol: "virtual",
    properties: [
      { name: "temperature", type: "number", address: { formula: "20 + t" }, every: "50ms" },
      { name: "setpoint", type: "number", access: "readwrite", address: { memory: 20 }, every: "50ms" },
    ],
  },
};
const device = {
  apiVersion: "devices.skerry.dev/v1alpha1",
  kind: "Device",
  metadata: { name: "boiler-1" },
  spec: { model: "boiler", node: "site-a", telemetry: { keep: "every" } },
};

async function create(client: TestClient, kind: string, object: object): Promise<void> {
  const { status, text } = await client.request("POST", `${DEVICES}/${kind}`, object);
  if (status !== 201) throw new Error(`${kind}: ${status} ${text}`);
}

async function wish(client: TestClient, setpoint: number): Promise<void> {
  const type = { "content-type": "application/merge-patch+json" };
  await client.request("PATCH", `${DEVICES}/devices/boiler-1`, { spec: { desired: { setpoint } } }, type);
}

async function stateOf(client: TestClient, name: string): Promise<string> {
  const { body } = await client.request("GET", `${DEVICES}/devices/boiler-1`);
  const { properties = [] } = (body.status ?? {}) as {
    properties?: { readonly name: string; readonly state?: string; readonly reported?: number }[];
  };
  const found = properties.find((property) => property.name === name);
  return `${found?.state} ${found?.reported}`;
}
