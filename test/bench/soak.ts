/**
 * The product as it runs, under load and with a fault every ten seconds: `node --conditions=source test/bench/soak.ts
 * [minutes]`. Kills, stops and restarts the node, the cloud and the PLC; watches memory and file handles; at the end
 * the cloud must have every message of every device once.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { compileShim, openShim, type Rule, whyNoShim } from "../rigs/faults/shim.ts";
import { folder } from "../rigs/folder.ts";
import { freePort } from "../rigs/free-port.ts";
import { type Child, openChild } from "./child.ts";

const MINUTES = Number(process.argv[2] ?? 20);
const FAULT_MS = 10_000;
const UNITS = 5;
const PROPERTIES = 100;

using dir = folder();
const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
const flags = ["--conditions=source", "--max-semi-space-size=2", "--heap-growing-percent=50", main];
const ports = {
  tunnel: await freePort(),
  join: await freePort(),
  cloud: await freePort(),
  registry: await freePort(),
  mqtt: await freePort(),
  edge: await freePort(),
  plc: await freePort(),
};
const files = { cloud: join(dir.path, "cloud.yaml"), edge: join(dir.path, "edge.yaml") };
writeFileSync(
  files.cloud,
  JSON.stringify({
    dataDir: join(dir.path, "cloud"),
    tunnel: { port: ports.tunnel },
    join: { port: ports.join },
    api: { port: ports.cloud },
    registry: { port: ports.registry },
    log: "warn",
  }),
);
writeFileSync(
  files.edge,
  JSON.stringify({
    dataDir: join(dir.path, "edge"),
    mqtt: { port: ports.mqtt },
    api: { port: ports.edge },
    log: "warn",
  }),
);

const noShim = whyNoShim();
if (noShim) console.log(`the disks stay whole: ${noShim}`);
else compileShim(dir.path);
const shims = noShim ? undefined : { edge: openShim(dir.path, "edge"), cloud: openShim(dir.path, "cloud") };

/** A process that comes back, and what it said on standard error. */
class Role {
  process: ChildProcess | undefined;
  complaints: string[] = [];
  readonly name: "edge" | "cloud";

  constructor(name: "edge" | "cloud") {
    this.name = name;
  }

  start(): void {
    const child = spawn(process.execPath, [...flags, "run", this.name, "--config", files[this.name]], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...shims?.[this.name].env },
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      for (const line of chunk.toString().split("\n"))
        if (/"level":(50|60)|rejection|Error:/.test(line) && !/the disk takes nothing/.test(line))
          this.complaints.push(line.slice(0, 300));
    });
    this.process = child;
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGCONT");
    child.kill(signal);
    await exited;
  }

  /** Resident memory in MiB and open files. */
  figures(): { rss: number; handles: number } | undefined {
    const pid = this.process?.pid;
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const rss = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
      return { rss, handles: readdirSync(`/proc/${pid}/fd`).length };
    } catch {
      return undefined;
    }
  }
}

const [cloud, edge] = [new Role("cloud"), new Role("edge")];
// Whatever goes wrong, nothing that was started here goes on.
process.on("exit", () => {
  for (const { process: child } of [edge, cloud]) child?.kill("SIGKILL");
});
let plc: Child<{ port: number }> | undefined = await openChild("plc", { units: UNITS, port: ports.plc });
cloud.start();
await until("the cloud", async () => (await fetch(`http://127.0.0.1:${ports.cloud}/readyz`)).ok);
const token =
  (await edgeadm("token", "create", "site-a", "--config", files.cloud)).match(/skerry-join\.\S+/)?.[0] ?? "";
await edgeadm("join", `https://127.0.0.1:${ports.join}`, "--token", token, "--config", files.edge);
edge.start();
await apply();
await until("values", async () => (await nodeState()).devicesOnline === UNITS);
console.log(`running ${MINUTES} min: ${UNITS} devices, ${(UNITS * PROPERTIES * 10).toLocaleString("en")} values/s`);

const full = { op: "write", match: ".db", action: "fail", error: "ENOSPC" } as const;
const broken = { op: "sync", match: ".db", action: "fail", error: "EIO" } as const;
const slow = { op: "sync", match: ".db", action: "delay", delayMs: 500 } as const;
const disk = (role: "edge" | "cloud", rule: Rule) => async () => {
  shims?.[role].set(rule);
  await delay(5_000);
  shims?.[role].set();
};
const diskFaults: Record<string, () => Promise<void>> = {
  "fill the node's disk": disk("edge", full),
  "break the node's disk": disk("edge", broken),
  "slow the node's disk": disk("edge", slow),
  "fill the cloud's disk": disk("cloud", full),
  "break the cloud's disk": disk("cloud", broken),
};
const faults: Record<string, () => Promise<void>> = {
  ...(shims ? diskFaults : {}),
  "kill the node": () => restart(edge, "SIGKILL"),
  "kill the cloud": () => restart(cloud, "SIGKILL"),
  "end the node": () => restart(edge, "SIGTERM"),
  "end the cloud": () => restart(cloud, "SIGTERM"),
  "freeze the cloud": async () => {
    cloud.process?.kill("SIGSTOP");
    await delay(6_000);
    cloud.process?.kill("SIGCONT");
  },
  "restart the PLC": async () => {
    await plc?.[Symbol.asyncDispose]();
    await delay(3_000);
    plc = await openChild("plc", { units: UNITS, port: ports.plc });
  },
  "leave it alone": async () => {},
};
const end = Date.now() + MINUTES * 60_000;
const samples: { readonly at: number; readonly edge: number; readonly cloud: number; readonly handles: number }[] = [];
for (let round = 0; Date.now() < end; round++) {
  const names = Object.keys(faults);
  const name = names[round % names.length] ?? "";
  await faults[name]?.();
  await delay(FAULT_MS);
  const [one, other] = [edge.figures(), cloud.figures()];
  samples.push({ at: Date.now(), edge: one?.rss ?? 0, cloud: other?.rss ?? 0, handles: one?.handles ?? 0 });
  const state = await nodeState().catch(() => undefined);
  console.log(
    `${String(round + 1).padStart(3)} ${name.padEnd(22)} edge ${one?.rss.toFixed(0)} MiB, ${one?.handles} files; ` +
      `cloud ${other?.rss.toFixed(0)} MiB, ${other?.handles} files; backlog ${state?.backlog}, online ${state?.devicesOnline}`,
  );
}

await until("the backlog", async () => (await nodeState()).backlog < UNITS * 20, 120_000);
for (let unit = 1; unit <= UNITS; unit++)
  console.log(
    (
      await edgeadm("telemetry", "query", `device-${unit}`, "--verify", "--cloud", `http://127.0.0.1:${ports.cloud}`)
    ).trim(),
  );
for (const role of [edge, cloud])
  console.log(`${role.name}: ${role.complaints.length} errors logged`, role.complaints.slice(0, 5));
await edge.end("SIGTERM");
await cloud.end("SIGTERM");
await plc?.[Symbol.asyncDispose]();

async function restart(role: Role, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  await role.end(signal);
  await delay(role === cloud ? 5_000 : 500);
  role.start();
}

async function nodeState(): Promise<{ devicesOnline: number; backlog: number }> {
  const answer = await fetch(`http://127.0.0.1:${ports.edge}/api/v1/node`);
  return (await answer.json()) as { devicesOnline: number; backlog: number };
}

async function edgeadm(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, ...args], { maxBuffer: 1e8 });
  return stdout;
}

/** Declares the devices with kubectl, as a user does. */
async function apply(): Promise<void> {
  const apiVersion = "devices.skerry.dev/v1alpha1";
  const properties = Array.from({ length: PROPERTIES }, (_, i) => ({
    name: `p${i}`,
    type: "number",
    scale: 0.1,
    every: "100ms",
    address: { table: "holding", register: i, type: "int16" },
  }));
  const model = {
    apiVersion,
    kind: "DeviceModel",
    metadata: { name: "soak" },
    spec: { protocol: "modbus", properties },
  };
  const devices = Array.from({ length: UNITS }, (_, i) => ({
    apiVersion,
    kind: "Device",
    metadata: { name: `device-${i + 1}` },
    spec: {
      model: "soak",
      node: "site-a",
      link: { host: "127.0.0.1", port: ports.plc },
      station: { unit: i + 1 },
      telemetry: { keep: "every" },
    },
  }));
  const file = join(dir.path, "devices.json");
  writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: [model, ...devices] }));
  const kubeconfig = join(dir.path, "cloud/kubeconfig");
  await until("kubectl", async () => {
    await promisify(execFile)("kubectl", ["--kubeconfig", kubeconfig, "apply", "-f", file]);
    return true;
  });
}

async function until(what: string, look: () => Promise<boolean>, limitMs = 30_000): Promise<void> {
  const end = Date.now() + limitMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      if (await look()) return;
    } catch (error) {
      last = error;
    }
    await delay(100);
  }
  throw new Error(`${what} did not come within ${limitMs} ms`, { cause: last });
}
