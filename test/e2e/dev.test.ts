import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Endpoints } from "../../src/cli/dev/stack.ts";
import type { DeviceView } from "../../src/cli/devices/view.ts";

const edgeadm = resolve("bin/edgeadm");
const started = new Set<Dev>();

interface Dev {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly endpoints: Endpoints;
  /** What it said on standard error. */
  readonly complaints: () => string;
}

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "skerry-dev-"));
  const ports = "{ mqtt: 0, edge: 0, registry: 0, tunnel: 0, join: 0, cloud: 0, plc: 0 }";
  writeFileSync(join(folder, "dev.yaml"), `ports: ${ports}\n`);
});
afterEach(async () => {
  for (const dev of [...started]) await end(dev, "SIGKILL");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("edgeadm run dev", () => {
  test("goes from nothing to devices that answer and take wishes", async () => {
    const { endpoints } = await start();
    const boiler = await until(
      () => device("boiler-1"),
      ({ online }) => online,
    );
    expect(boiler).toMatchObject({ model: "boiler", node: "site-a", reason: "Answering" });
    expect(boiler.properties.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["temperature", "pressure", "setpoint", "energy", "pump", "flame"]),
    );
    const temperature = boiler.properties.find(({ name }) => name === "temperature");
    expect(temperature).toMatchObject({ quality: "good", unit: "Cel", value: expect.any(Number) });

    const list = await ask("device", "list");
    expect(list.out).toMatch(/^NAME +MODEL/);
    for (const name of ["boiler-1", "tank-1", "weather-1"]) expect(list.out).toContain(name);

    expect(await ask("device", "set", "boiler-1", "setpoint=61")).toMatchObject({
      code: 0,
      out: "boiler-1 setpoint=61 applied\n",
    });
    const atSite = await ask("device", "set", "boiler-1", "setpoint=62", "--site", endpoints.edge);
    expect(atSite).toMatchObject({ code: 0, out: "boiler-1 setpoint=62 applied\n" });
    await until(property("boiler-1", "setpoint"), (it) => it?.by === "site");
    expect(await ask("device", "set", "boiler-1", "setpoint=61")).toMatchObject({
      code: 0,
      out: "boiler-1 setpoint=61 applied\n",
    });
    expect(await ask("device", "conflicts")).toMatchObject({ code: 0, out: "no conflicts\n" });
    expect(await ask("device", "set", "boiler-1", "setpoint=200")).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringMatching(/^edgeadm: setpoint can not be 200: its range is 20 to 90\nhint: /),
    });
  });

  test("keeps keys and state from other users", async () => {
    await start();
    const modes = [".skerry", ".skerry/kubeconfig", ".skerry/registry/ca.key", ".skerry/site-a/identity.json"].map(
      (path) => (statSync(join(folder, path)).mode & 0o777).toString(8),
    );
    expect(modes).toEqual(["700", "600", "600", "600"]);
  });

  test("does not start twice on one data directory", async () => {
    await start();
    const second = await ask("run", "dev", "--config", "dev.yaml");
    expect(second).toMatchObject({ code: 1, out: "", err: expect.stringContaining("is in use by process") });
    expect(await ask("reset", "--dev", "--yes")).toMatchObject({ code: 1, err: expect.stringContaining("in use") });
    expect((await ask("device", "list")).code).toBe(0);
  });

  test("ends at SIGTERM, and goes on with what it knew", async () => {
    const first = await start();
    await until(
      () => device("boiler-1"),
      ({ online }) => online,
    );
    await ask("device", "set", "boiler-1", "setpoint=44");
    const identity = readFileSync(join(folder, ".skerry/site-a/identity.json"), "utf8");
    expect(await end(first, "SIGTERM")).toBe(0);
    expect(await ask("device", "list")).toMatchObject({ code: 3 });

    await start();
    expect(readFileSync(join(folder, ".skerry/site-a/identity.json"), "utf8")).toBe(identity);
    const setpoint = await until(property("boiler-1", "setpoint"), (it) => it?.value === 44 && it.state === "applied");
    expect(setpoint).toMatchObject({ desired: 44 });
  });

  test("starts again after it was killed in the middle", async () => {
    const first = await start();
    await until(
      () => device("tank-1"),
      ({ online }) => online,
    );
    await ask("device", "set", "tank-1", "mode=1");
    await end(first, "SIGKILL");
    await start();
    const mode = await until(property("tank-1", "mode"), (it) => it?.value === 1 && it.state === "applied");
    expect(mode).toMatchObject({ desired: 1 });
  });

  test("names a port that is in use, and leaves nothing behind", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    try {
      const said = await ask("run", "dev", "--config", "dev.yaml", "--port", `mqtt=${port}`);
      expect(said).toMatchObject({
        code: 1,
        out: "",
        err: expect.stringContaining(`127.0.0.1:${port}: the port is in use\nhint: `),
      });
      expect(said.err).toContain("--port mqtt=0");
    } finally {
      server.close();
    }
    await start();
  });

  test("a sample that the user deleted stays deleted", async () => {
    const first = await start();
    const { endpoints } = first;
    await until(
      () => device("weather-1"),
      ({ online }) => online,
    );
    await kubectlDelete(endpoints, "weather-1");
    expect(await end(first, "SIGINT")).toBe(0);
    await start();
    expect((await ask("device", "list")).out).not.toContain("weather-1");
  });
});

/** Starts it in the folder and waits for the line with its endpoints. */
async function start(): Promise<Dev> {
  const args = [edgeadm, "run", "dev", "--config", "dev.yaml", "-o", "json"];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const dev = { process: child, endpoints: JSON.parse(line) as Endpoints, complaints: () => said };
    started.add(dev);
    return dev;
  }
  throw new Error(`it did not start: ${said}`);
}

/** Sends a signal to the launcher and waits for its end; then the data directory is free. */
async function end(dev: Dev, signal: NodeJS.Signals): Promise<number | null> {
  started.delete(dev);
  const holder = readFileSync(join(folder, ".skerry/edgeadm.pid"), "utf8");
  const exited = once(dev.process, "exit");
  if (signal === "SIGKILL") process.kill(Number(holder), signal);
  else dev.process.kill(signal);
  const [code] = (await exited) as [number | null];
  return code;
}

function ask(...args: string[]): Promise<Said> {
  const { KUBECONFIG: _, ...env } = process.env;
  return new Promise((done) => {
    execFile(process.execPath, [edgeadm, ...args], { cwd: folder, env }, (error, out, err) => {
      done({ code: error ? Number(error.code ?? -1) : 0, out, err });
    });
  });
}

async function device(name: string): Promise<DeviceView> {
  const { code, out, err } = await ask("device", "get", name, "-o", "json");
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as DeviceView;
}

function property(name: string, property: string) {
  return async () => (await device(name)).properties.find((it) => it.name === property);
}

/** Asks until the answer is as it should be; the runner's time limit ends it. */
async function until<T>(look: () => Promise<T>, isRight: (it: T) => boolean): Promise<T> {
  for (;;) {
    const it = await look();
    if (isRight(it)) return it;
    await sleep(100);
  }
}

/** What `kubectl delete device` does. */
async function kubectlDelete({ kubeconfig }: Endpoints, name: string): Promise<void> {
  const { openKube } = await import("#cloud/kube/client");
  const { loadKubeconfig } = await import("#cloud/kube/kubeconfig");
  const { deviceKind } = await import("#devices/crd");
  await using kube = openKube(await loadKubeconfig({ path: kubeconfig }));
  await kube.delete(deviceKind, { name, namespace: "default" }, AbortSignal.timeout(10_000));
}
