/** What the commands for devices ask a cluster for, against the embedded registry. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import { crds } from "#devices/crd";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { openTestRegistry, type TestRegistry } from "../../rigs/registry.ts";
import { fakeWorld } from "./fake-world.ts";

const dir = folder();
const kubeconfig = join(dir.path, "kubeconfig");
const GROUP = "/apis/devices.skerry.dev/v1alpha1";
const MERGE = { "content-type": "application/merge-patch+json" };
let registry: TestRegistry;

beforeAll(async () => {
  registry = await openTestRegistry();
  writeFileSync(kubeconfig, registry.kubeconfig);
  for (const crd of crds()) await create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
  await eventually(async () => (await registry.admin.request("GET", `${GROUP}/devices`)).status === 200);
  await create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "north" } });
  for (const namespace of ["default", "north"]) {
    await create(`${GROUP}/namespaces/${namespace}/devicemodels`, { kind: "DeviceModel", ...model });
    await create(`${GROUP}/namespaces/${namespace}/devices`, { kind: "Device", ...device });
  }
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const apiVersion = "devices.skerry.dev/v1alpha1";
const model = {
  apiVersion,
  metadata: { name: "valve" },
  spec: {
    protocol: "virtual",
    properties: [{ name: "mode", type: "string", access: "readwrite", address: { memory: "off" } }],
  },
};
const device = { apiVersion, metadata: { name: "valve-1" }, spec: { model: "valve", node: "site-a" } };

describe("edgeadm device conflicts", () => {
  test("says when there is none", async () => {
    expect(await run("device", "conflicts", "-A")).toMatchObject({ code: 0, out: "no conflicts\n" });
    expect(await run("device", "conflicts", "-A", "-o", "json")).toMatchObject({ out: "[]\n" });
  });

  test("lists those of one namespace or of all, with commands that a shell takes as they are", async () => {
    const side = (by: string, value: string) => ({ by, value });
    const conflict = {
      rule: "manual",
      at: new Date().toISOString(),
      kept: side("site", "half open"),
      lost: side("cloud", "off"),
    };
    await patch("north/devices/valve-1/status", { status: { properties: [{ name: "mode", conflict }] } });

    expect(await run("device", "conflicts")).toMatchObject({ out: "no conflicts\n" });
    const { out } = await run("device", "conflicts", "-n", "north");
    expect(out).toContain(
      `edgeadm device set valve-1 'mode=half open' -n north --kubeconfig ${kubeconfig}   # keep the site's`,
    );
    expect(out).toContain(
      `edgeadm device set valve-1 mode=off -n north --kubeconfig ${kubeconfig}   # take the cloud's`,
    );
    expect((await run("device", "conflicts", "-A", "--node", "site-a")).out).toMatch(/valve-1 +mode +manual/);
    expect(await run("device", "conflicts", "valve-9")).toMatchObject({ code: 1, out: "" });
  });
});

describe("edgeadm device set", () => {
  test("wishes anew what is desired already, and without the end of an earlier wish", async () => {
    const at = "default/devices/valve-1";
    await patch(at, { spec: { desired: { mode: "on" }, desiredUntil: { mode: "2020-01-01T00:00:00Z" } } });
    for (const generation of [3, 4]) {
      expect(await run("device", "set", "valve-1", "mode=on", "--no-wait")).toMatchObject({ code: 0 });
      const { body } = await registry.admin.request("GET", `${GROUP}/namespaces/${at}`);
      expect(body).toMatchObject({
        metadata: { generation },
        spec: { desired: { mode: "on" }, desiredAt: { mode: expect.stringMatching(/Z$/) } },
      });
      expect((body.spec as { desiredUntil?: object }).desiredUntil ?? {}).toEqual({});
    }
  });
});

test("a list asks for its own namespace alone", async () => {
  const { out } = await run("device", "list", "-n", "north", "-o", "json");
  expect(JSON.parse(out) as readonly object[]).toMatchObject([{ namespace: "north", name: "valve-1" }]);
});

test("a list keeps to the width of a terminal, and to nothing in a pipe", async () => {
  const world = fakeWorld({ isTty: true, columns: 30 });
  expect(await execute(["device", "list", "-A", "--kubeconfig", kubeconfig], world)).toBe(0);
  const widths = world.said.out.split("\n").map(({ length }) => length);
  expect(Math.max(...widths)).toBe(30);
  const { out } = await run("device", "list", "-A");
  expect(Math.max(...out.split("\n").map(({ length }) => length))).toBeGreaterThan(60);
});

describe("what goes wrong is told by", () => {
  test("device list, when the devices are elsewhere", async () => {
    expect(await run("device", "list", "-n", "south")).toMatchObject({
      code: 0,
      out: "no devices in namespace south; -A lists those of all\n",
    });
  });

  test.each([["list"], ["export"], ["conflicts"], ["import", "list.csv"]])(
    "device %s, by the file that led to a cluster that does not answer",
    async (...args) => {
      const wrong = join(dir.path, "elsewhere");
      writeFileSync(wrong, registry.kubeconfig.replace(/(https:\/\/127\.0\.0\.1):\d+/, "$1:1"));
      writeFileSync(join(dir.path, "list.csv"), "device,model\n");
      const world = fakeWorld({ cwd: dir.path });
      const code = await execute(["device", ...args, "--kubeconfig", wrong], world);
      expect([code, world.said.out]).toEqual([3, ""]);
      expect(world.said.err).toMatch(/^edgeadm: the cluster of .*elsewhere does not answer: .*\nhint: .*\n$/);
      const missing = fakeWorld({ cwd: dir.path });
      expect(await execute(["device", ...args, "--kubeconfig", "none"], missing)).toBe(1);
      expect(missing.said.err).toContain("there is no kubeconfig");
    },
  );

  test("device import, with all problems for a program", async () => {
    writeFileSync(join(dir.path, "wrong.csv"), "device,model,node\nv-1,valves,site-a\n");
    const { code, out, err } = await run("device", "import", join(dir.path, "wrong.csv"), "-o", "json");
    expect([code, out]).toEqual([1, ""]);
    expect(JSON.parse(err)).toMatchObject({
      error: { code: "CONFIG_INVALID", problems: [{ line: 2, column: "model", message: expect.any(String) }] },
    });
  });

  test("device import, that a list has nothing in it yet", async () => {
    writeFileSync(join(dir.path, "empty.csv"), "device,model\n");
    const { code, out } = await run("device", "import", join(dir.path, "empty.csv"));
    expect([code, out]).toEqual([0, `no Device or DeviceModel in ${join(dir.path, "empty.csv")}\n`]);
  });

  test("device import, with how many it applied before the cluster refused", async () => {
    const rows = ["model,protocol,property,type,address.formula", "sun,virtual,light,number,1"];
    writeFileSync(join(dir.path, "sun.csv"), rows.join("\n"));
    const { code, out, err } = await run("device", "import", join(dir.path, "sun.csv"), "-n", "nowhere");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/nowhere.* not found\nhint: 0 of 1 were applied; mend/);
  });

  test.each([
    [["import", "devices.yaml"], 2, "hint: Manifests are applied by kubectl apply -f devices.yaml"],
    [["export", "--file", "/nowhere/list.csv"], 1, "/nowhere/list.csv can not be written: there is no such folder"],
    [["set", "valve-1", "mode=on", "mode=off"], 2, "mode can be wished once, not twice at once"],
  ] as const)("device %j", async (args, code, message) => {
    expect(await run("device", ...args)).toMatchObject({ code, out: "", err: expect.stringContaining(message) });
  });
});

async function run(...args: readonly string[]) {
  const world = fakeWorld();
  const code = await execute([...args, "--kubeconfig", kubeconfig], world);
  return { code, ...world.said };
}

async function create(path: string, object: object): Promise<void> {
  const { status, text } = await registry.admin.request("POST", path, object);
  if (status !== 201) throw new Error(`${path}: ${status} ${text}`);
}

async function patch(path: string, merge: object): Promise<void> {
  const { status, text } = await registry.admin.request("PATCH", `${GROUP}/namespaces/${path}`, merge, MERGE);
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
}
