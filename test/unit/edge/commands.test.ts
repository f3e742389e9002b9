import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "@jest/globals";
import { drivers } from "#drivers/index";
import { Commands } from "#edge/commands";
import { edgeConfig } from "#edge/config";
import { Supervisor } from "#edge/devices/supervisor";
import { type Edge, openEdge } from "#edge/main";
import { openStore } from "#edge/store";
import { systemClock } from "#std/clock";
import { Fault } from "#std/fault";
import { silent } from "#std/log";
import { boiler } from "../../rigs/boiler.ts";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { twinsRig } from "../../rigs/twins.ts";

const cell = (name: string, memory: number, rest: object = {}) => ({
  name,
  type: "number",
  access: "readwrite",
  minimum: 0,
  maximum: 100,
  address: { memory },
  every: "20ms",
  ...rest,
});
const commands = [
  { name: "start", writes: { pump: 1, setpoint: 60 } },
  { name: "late", writes: { pump: 2 }, deadline: "1ms" },
];
const declared = boiler(
  "boiler-1",
  {},
  { model: { protocol: "virtual", properties: [cell("pump", 0), cell("setpoint", 20)], commands } },
);

async function openNode(dataDir = ":memory:"): Promise<Edge> {
  const config = edgeConfig.parse({ dataDir, mqtt: { port: 0 }, api: { port: 0 } });
  const edge = await openEdge(
    { config, identity: undefined, version: "test" },
    { drivers, clock: systemClock, log: silent },
  );
  await edge.supervisor.declare(declared);
  return edge;
}

async function post(
  edge: Edge,
  command: string,
  body: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${edge.api.url}/api/v1/devices/boiler-1/commands/${command}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function reportedBy(edge: Edge, property: string): Promise<unknown> {
  const answer = await fetch(`${edge.api.url}/api/v1/devices/boiler-1/properties/${property}`);
  return ((await answer.json()) as { reported?: unknown }).reported;
}

test("a command of writes writes them in order and reads them back", async () => {
  await using edge = await openNode();
  expect(await post(edge, "start", { id: "a" })).toEqual({ status: 200, body: { id: "a", ok: true, value: null } });
});

test("the same id is done once and answered again with the same outcome, also after a restart", async () => {
  using dir = folder();
  {
    await using edge = await openNode(dir.path);
    expect((await post(edge, "start", { id: "a" })).status).toBe(200);
  }
  await using edge = await openNode(dir.path);
  // The memory cells begin anew: were the command done again, the pump would run.
  expect(await post(edge, "start", { id: "a" })).toEqual({ status: 200, body: { id: "a", ok: true, value: null } });
  await edge.supervisor.declare({ ...declared, generation: 2 });
  expect(await reportedBy(edge, "pump")).not.toBe(1);
});

test("a command that the model does not have is not accepted", async () => {
  await using edge = await openNode();
  const { status, body } = await post(edge, "stop", { id: "a" });
  expect([status, body.code]).toEqual([404, "COMMAND_UNKNOWN"]);
  expect(body.title).toContain("start, late");
});

test("wrong fields are named", async () => {
  await using edge = await openNode();
  const { status, body } = await post(edge, "start", { id: "", deadlineMs: -1, urgent: true });
  expect(status).toBe(400);
  expect(body.title).toMatch(/id.*deadlineMs.*urgent/s);
});

test("a command whose device is on a dead link comes too late, and nothing was done", async () => {
  await using edge = await openNode();
  const dead = { ...declared, name: "dead-1", uid: "dead" };
  await edge.supervisor.declare({
    ...dead,
    spec: { model: "boiler", node: "site-a", link: { host: "127.0.0.1", port: 1 } },
    model: {
      protocol: "modbus",
      properties: [cell("pump", 0, { address: { table: "holding", register: 0 } })],
      commands: [{ name: "start", writes: { pump: 1 }, deadline: "50ms" }],
    },
  });
  const answer = await fetch(`${edge.api.url}/api/v1/devices/dead-1/commands/start`, { method: "POST" });
  expect([answer.status, await answer.json()]).toMatchObject([422, { ok: false, fault: { code: "COMMAND_LATE" } }]);
});

/** A boiler behind a Modbus device at this port; its command may take an hour. */
const remote = (port: number) => ({
  ...declared,
  name: "remote-1",
  uid: "remote",
  spec: { model: "boiler", node: "site-a", link: { host: "127.0.0.1", port, timeout: "50ms" } },
  model: {
    protocol: "modbus",
    properties: [cell("pump", 0, { address: { table: "holding", register: 0 } })],
    commands: [{ name: "start", writes: { pump: 1 }, deadline: "1h" }],
  },
});
const start = ({ api }: Edge) => fetch(`${api.url}/api/v1/devices/remote-1/commands/start`, { method: "POST" });

test("a command to a silent device ends with the timeout of its link, and nobody knows whether it was heard", async () => {
  await using edge = await openNode();
  const server = createServer((socket) => socket.on("error", () => undefined).resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  await edge.supervisor.declare(remote((server.address() as AddressInfo).port));
  const answer = await start(edge);
  const { fault } = (await answer.json()) as { fault: { code: string; message: string } };
  server.close();
  expect([answer.status, fault.code]).toEqual([422, "COMMAND_UNSURE"]);
  expect(fault.message).toContain("remote-1 did not answer within 50 ms");
});

test("a command that waits for a dead link ends when its device is removed", async () => {
  using store = openStore(":memory:", silent);
  const { twins } = twinsRig(store, systemClock);
  const ports = { twins, clock: systemClock, log: silent };
  await using supervisor = new Supervisor(store.db, drivers, { ...ports, visited: () => undefined });
  const commands = new Commands(store.db, { ...ports, supervisor, audit: () => undefined });
  await supervisor.declare(remote(1));
  const { signal } = new AbortController();
  const asked = commands.run({ device: "remote-1", command: "start", id: "a" }, signal);
  await eventually(() => store.db.prepare("select state from command").all().length === 1);
  await supervisor.remove("remote");
  expect(await asked).toMatchObject({ ok: false, fault: { code: "DEVICE_UNKNOWN" } });
});

/** Writes into the database of a node that does not run that a command was under way. */
function begun(dataDir: string, uid: string): void {
  using store = openStore(dataDir, silent);
  const json = JSON.stringify({ device: "boiler-1", command: "start", id: "a" });
  store.db.prepare("insert into command values (?, 'a', 'started', ?, 0)").run(uid, json);
}

test("a command whose outcome could not be written down is not done again", async () => {
  using store = openStore(":memory:", silent);
  const { twins } = twinsRig(store, systemClock);
  twins.declare(declared, new Fault("DRIVER_UNKNOWN", "it does not matter"));
  const supervisor = new Supervisor(store.db, {}, { twins, visited: () => undefined, log: silent, clock: systemClock });
  const ports = { twins, supervisor, audit: () => undefined, clock: systemClock, log: silent };
  const commands = new Commands(store.db, ports);
  const json = JSON.stringify({ device: "boiler-1", command: "start", id: "a" });
  store.db.prepare("insert into command values (?, 'a', 'started', ?, 0)").run(declared.uid, json);
  const request = { device: "boiler-1", command: "start", id: "a" };
  const { signal } = new AbortController();
  expect(await commands.run(request, signal)).toMatchObject({ ok: false, fault: { code: "COMMAND_UNSURE" } });
});

test("a command of a device that went meanwhile is told once, and not at every start", async () => {
  using dir = folder();
  await (await openNode(dir.path))[Symbol.asyncDispose]();
  begun(dir.path, "gone");
  await (await openNode(dir.path))[Symbol.asyncDispose]();
  using store = openStore(dir.path, silent);
  expect(store.db.prepare("select state from command").all()).toEqual([{ state: "done" }]);
});

test("a page of a web site can not tell a device anything, although such a request needs no leave of the browser", async () => {
  await using edge = await openNode();
  const url = `${edge.api.url}/api/v1/devices/boiler-1/commands/start`;
  const from = (origin: string) => fetch(url, { method: "POST", headers: { origin } });
  expect((await from("https://example.com")).status).toBe(403);
  expect((await from("null")).status).toBe(403);
  expect((await from("http://localhost:3000")).status).toBe(200);
});
