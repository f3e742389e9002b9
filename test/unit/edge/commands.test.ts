import { expect, test } from "@jest/globals";
import { drivers } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { type Edge, openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { boiler } from "../../rigs/boiler.ts";
import { folder } from "../../rigs/folder.ts";

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
