/** The example of a driver in a package of its own, as the cloud and the tools know it. */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseDevConfig } from "#cli/dev/config";
import { type Dev, openDev } from "#cli/dev/stack";
import { execute } from "#cli/program";
import { withDriverOption } from "#cli/third-party";
import { openKube } from "#cloud/kube/client";
import { loadKubeconfig } from "#cloud/kube/kubeconfig";
import type { ApiObject } from "#cloud/kube/objects";
import { type DeviceStatus, modelKind } from "#devices/crd";
import { driverTable } from "#drivers/index";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { type CounterBox, openCounterBox } from "../rigs/counter-box.ts";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { fakeWorld } from "../unit/cli/fake-world.ts";

const HERE = resolve("examples/own-driver");
const COUNTER = "counter=./index.js";
const { signal } = new AbortController();
describe("run dev with a driver of others", () => {
  const dir = folder();
  let box: CounterBox;
  let dev: Dev;
  beforeAll(async () => {
    box = await openCounterBox();
    const ports = ["mqtt", "edge", "registry", "tunnel", "join", "cloud", "plc"].map((name) => `${name}=0`);
    const drivers = withDriverOption(driverTable({ dataDir: dir.path }), [COUNTER], HERE);
    const config = parseDevConfig("", "dev.yaml", ports);
    const examples = join(dir.path, "examples");
    mkdirSync(examples);
    copyFileSync(join(HERE, "model.yaml"), join(examples, "model.yaml"));
    const device = readFileSync(join(HERE, "device.yaml"), "utf8");
    writeFileSync(join(examples, "device.yaml"), device.replace("4711", String(box.port)));
    const options = { config, dataDir: dir.path, drivers, examples, version: "1.0.0" };
    dev = await openDev(options, { clock: systemClock, log: silent }, signal);
  }, 30_000);
  afterAll(async () => {
    await dev[Symbol.asyncDispose]();
    await box[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });

  test("drives its devices", async () => {
    await eventually(() => Number(dev.edge.twins.named("counter-1").properties[0]?.reported?.value) >= 100);
  });

  test("checks its models in the cloud", async () => {
    await using kube = openKube(await loadKubeconfig({ path: dev.endpoints.kubeconfig }));
    const { spec, ...model } = await kube.get(modelKind, { name: "counter", namespace: "default" }, signal);
    const [property] = (spec as { readonly properties: readonly object[] }).properties;
    const wrong = { protocol: "counter", properties: [{ ...property, address: { channel: "here" } }] };
    const named = { apiVersion: model.apiVersion, kind: model.kind, metadata: { name: "wrong", namespace: "default" } };
    await kube.create(modelKind, { ...named, spec: wrong } as ApiObject, signal);
    const conditions = await eventually(async () => {
      const { status } = await kube.get(modelKind, { name: "wrong", namespace: "default" }, signal);
      return (status as DeviceStatus | undefined)?.conditions;
    });
    expect(conditions[0]).toMatchObject({ status: "False", message: expect.stringContaining("address.channel") });
  });
});

describe("the option --driver", () => {
  const plan = (...more: readonly string[]) =>
    run("device", "plan", "--file", "model.yaml", "--file", "device.yaml", ...more);

  test("makes a command know a driver", async () => {
    expect((await plan()).err).toContain("there is no driver counter");
    expect((await plan("--driver", COUNTER)).err).toContain("the counter driver plans nothing");
  });

  test.each([
    ["counter", 2, "--driver: counter: "],
    ["Counter=./index.js", 2, "--driver: Counter: "],
    ["modbus=./index.js", 1, "the product has one already"],
    ["counter=./missing.js", 1, "can not be loaded"],
    ["tally=./index.js", 1, "there is no driver counter"],
  ])("%s is refused", async (text, code, message) => {
    const said = await plan("--driver", text);
    expect(said).toMatchObject({ code, out: "", err: expect.stringContaining(message) });
  });
});

async function run(...args: readonly string[]) {
  const world = fakeWorld({ cwd: HERE });
  const code = await execute(args, world);
  return { code, ...world.said };
}
