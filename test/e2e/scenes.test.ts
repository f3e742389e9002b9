/** What the README promises: Devices declared with kubectl live on MQTT, and wishes reach the PLC, within two seconds. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import mqtt from "mqtt";
import { modbus } from "#drivers/modbus/index";
import { printYaml } from "#std/yaml";
import type { Endpoints } from "../../src/cli/dev/stack.ts";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { findKubectls } from "../rigs/kubectl.ts";

const run = promisify(execFile);
/** The promise is 2 s; a busy machine gets some grace before the test fails. */
const PROMPT_MS = 6_000;
const kubectls = findKubectls();
if (kubectls.length === 0) test.skip("kubectl is not on the PATH, so the scenes can not be played", () => {});

const home = folder();
let endpoints: Endpoints;
let stack: ReturnType<typeof spawn>;
let client: mqtt.MqttClient;
const said = new Map<string, Record<string, unknown>>();

beforeAll(async () => {
  if (kubectls.length === 0) return;
  const ports = { mqtt: 0, edge: 0, registry: 0, tunnel: 0, join: 0, cloud: 0, plc: 0 };
  writeFileSync(join(home.path, "dev.yaml"), printYaml({ ports }));
  const args = [resolve("bin/edgeadm"), "run", "dev", "--config", "dev.yaml", "-o", "json"];
  stack = spawn(process.execPath, args, { cwd: home.path, stdio: ["ignore", "pipe", "ignore"] });
  if (!stack.stdout) throw new Error("the stack has no output");
  for await (const line of createInterface({ input: stack.stdout })) {
    endpoints = JSON.parse(line) as Endpoints;
    break;
  }
  client = await mqtt.connectAsync(endpoints.mqtt);
  client.on("message", (topic, payload) => {
    if (payload.length === 0) said.delete(topic);
    else said.set(topic, JSON.parse(payload.toString()) as Record<string, unknown>);
  });
  await client.subscribeAsync("devices/#");
}, 60_000);

afterAll(async () => {
  if (kubectls.length > 0) {
    await client?.endAsync();
    const ended = once(stack, "exit");
    stack.kill("SIGTERM");
    await ended;
  }
  home[Symbol.dispose]();
}, 20_000);

describe.each(kubectls)("with kubectl $version", ({ version, binary }) => {
  const name = `pump-${version.replace(/\W/g, "-")}`;

  async function kubectl(...args: string[]): Promise<string> {
    const env = { ...process.env, HOME: join(home.path, version), KUBECONFIG: join(home.path, ".skerry/kubeconfig") };
    const { stdout } = await run(binary, args, { env });
    return stdout;
  }
  const setpoint = async (device: string) => {
    const found = JSON.parse(await kubectl("get", "device", device, "-o", "json")) as {
      status?: { properties?: { name: string; state?: string; reported?: unknown; refusal?: string }[] };
    };
    return found.status?.properties?.find(({ name }) => name === "setpoint");
  };

  test("devices are listed with model, node, protocol, readiness, reason, last sight and age", async () => {
    const row = /^boiler-1 +boiler +site-a +modbus +True +True +Answering +\S+ +\S+$/m;
    await eventually(async () => row.test(await kubectl("get", "devices")));
    expect(await kubectl("get", "devices")).toMatch(
      /^NAME +MODEL +NODE +PROTOCOL +ACCEPTED +READY +REASON +LAST SEEN +AGE$/m,
    );
  });

  test("a device that is described shows its link and who it is", async () => {
    const described =
      /^ {2}Identity:\n {4}Product: .+[\s\S]+^ {2}Link:\n {4}Failures: +0\n {4}Since: .+\n {4}State: +up$/m;
    await eventually(async () => described.test(await kubectl("describe", "device", "boiler-1")));
  });

  test("a device that is applied is on MQTT, and one that is deleted is gone", async () => {
    const file = join(home.path, `${name}.yaml`);
    const [host, port] = endpoints.plc.split(":");
    const device = {
      apiVersion: "devices.skerry.dev/v1alpha1",
      kind: "Device",
      metadata: { name },
      spec: { model: "boiler", node: "site-a", link: { host, port: Number(port) }, station: { unit: 1 } },
    };
    writeFileSync(file, printYaml(device));
    expect(await kubectl("apply", "-f", file)).toContain("created");
    await eventually(() => said.get(`devices/${name}/reported/temperature`)?.quality === "good", PROMPT_MS);
    expect(await kubectl("apply", "-f", file)).toContain("unchanged");
    await kubectl("delete", "device", name);
    await eventually(() => !said.has(`devices/${name}/reported/temperature`), PROMPT_MS);
  });

  test("a patched setpoint is in the register of the PLC, and its status says applied", async () => {
    const value = 40 + Number(version.slice(-1));
    await kubectl(
      "patch",
      "device",
      "boiler-1",
      "--type=merge",
      "-p",
      JSON.stringify({ spec: { desired: { setpoint: value } } }),
    );
    await eventually(() => registerOf(endpoints.plc).then((register) => register === value), PROMPT_MS);
    await eventually(async () => {
      const it = await setpoint("boiler-1");
      return it?.state === "applied" && it.reported === value;
    }, PROMPT_MS);
  });

  test("a setpoint out of range is refused with the reason, as status and as event", async () => {
    await kubectl("patch", "device", "boiler-1", "--type=merge", "-p", '{"spec":{"desired":{"setpoint":500}}}');
    const refused = await eventually(async () => {
      const it = await setpoint("boiler-1");
      return it?.state === "refused" ? it : undefined;
    }, PROMPT_MS);
    expect(refused.refusal).toBe("VALUE_OUT_OF_RANGE: setpoint can not be 500: its range is 20 to 90");
    await eventually(
      async () => /Warning +Refused .*500/.test(await kubectl("describe", "device", "boiler-1")),
      PROMPT_MS,
    );
  });

  test("the fields explain themselves", async () => {
    expect(await kubectl("explain", "device.spec.node")).toContain("edge node that drives the device");
    expect(await kubectl("explain", "device.spec", "--recursive")).toMatch(/desired\s+<map\[string\]/);
  });
});

test("a wish that is published at the site is written and answered", async () => {
  if (kubectls.length === 0) return;
  said.delete("devices/boiler-1/desired/setpoint/set/result");
  client.publish("devices/boiler-1/desired/setpoint/set", JSON.stringify({ value: 33, id: "scene" }));
  const answer = await eventually(() => said.get("devices/boiler-1/desired/setpoint/set/result"), PROMPT_MS);
  expect(answer).toMatchObject({ id: "scene", ok: true, state: "applied", value: 33 });
  expect(await registerOf(endpoints.plc)).toBe(33);
});

/** The setpoint as it stands in the PLC, read beside the node. */
async function registerOf(plc: string): Promise<unknown> {
  const [host = "", port] = plc.split(":");
  const driver = modbus();
  const signal = AbortSignal.timeout(2_000);
  const address = driver.address.parse({ table: "holding", register: 10, type: "float32" });
  await using connection = await driver.connect(driver.link.parse({ host, port: Number(port) }), signal);
  const [reading] = await connection.read(driver.station.parse({}), [{ property: "setpoint", address }], signal);
  return reading?.ok ? reading.raw : undefined;
}
