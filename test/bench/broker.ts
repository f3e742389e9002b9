/** The site's broker beside mosquitto and aedes: fan-out, durable QoS 1, latency, memory; all ratios are of one run. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openChild } from "./child.ts";
import type { LoadFigures, LoadOptions } from "./children/mqtt-load.ts";

/** What one broker did at one load. */
export interface BrokerFigure {
  readonly load: string;
  readonly broker: "skerry" | "aedes, in memory" | "mosquitto, durable" | "mosquitto, defaults";
  readonly deliveriesPerSecond?: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly rssMiB?: number;
}

interface Subject {
  readonly name: BrokerFigure["broker"];
  readonly port: number;
  readonly pid: number;
  end(): Promise<void>;
}

const MEASURE = { warmUpMs: 1000, measureMs: 3000 } as const;
/** Latencies are of compiled code: at 10 k/s that takes its time. */
const LATENCY = { warmUpMs: 3000, measureMs: 4000 } as const;

const loads: readonly (readonly [name: string, load: Omit<LoadOptions, "port">])[] = [
  ...([0, 1] as const).flatMap((qos) =>
    [1, 10, 100].map(
      (subscribers) =>
        [`QoS ${qos} to ${subscribers}`, { qos, subscribers, durable: qos === 1, window: 100, ...MEASURE }] as const,
    ),
  ),
  ["QoS 0 to 1, 10 k/s", { qos: 0, subscribers: 1, durable: false, window: 0, rate: 10_000, ...LATENCY }],
  ["QoS 1 to 1, 10 k/s", { qos: 1, subscribers: 1, durable: true, window: 0, rate: 10_000, ...LATENCY }],
  ["5,000 idle clients", { qos: 0, subscribers: 0, durable: false, window: 0, idle: 5000, ...MEASURE }],
];

/** Measures Skerry and aedes, and mosquitto when it is installed; without it it says why. */
export async function benchBroker(): Promise<readonly BrokerFigure[]> {
  const figures: BrokerFigure[] = [];
  const hasMosquitto = isInstalled("mosquitto");
  if (!hasMosquitto) console.log("mosquitto is not installed here: no ratios to it");
  for (const [load, options] of loads) {
    const others = hasMosquitto ? (["mosquitto, durable", "mosquitto, defaults"] as const) : [];
    for (const name of ["skerry", "aedes, in memory", ...others] as const) {
      const dataDir = mkdtempSync(join(tmpdir(), "skerry-broker-"));
      const subject = await openSubject(name, dataDir);
      try {
        figures.push({ load, broker: name, ...(await measure(subject, options)) });
      } finally {
        await subject.end();
        rmSync(dataDir, { recursive: true, force: true });
      }
    }
  }
  return figures;
}

async function measure({ port, pid }: Subject, options: Omit<LoadOptions, "port">): Promise<Partial<BrokerFigure>> {
  await using load = await openChild<LoadFigures>("mqtt-load", { ...options, port });
  const { deliveriesPerSecond, p50Us, p99Us } = load.ready;
  if (options.idle) return { rssMiB: rss(pid) };
  if (options.rate === undefined) return { deliveriesPerSecond, rssMiB: rss(pid) };
  return { deliveriesPerSecond, p50Us, p99Us };
}

function openSubject(name: BrokerFigure["broker"], dataDir: string): Promise<Subject> {
  if (name === "skerry") return openChildAs(name, "broker", { dataDir });
  if (name === "aedes, in memory") return openChildAs(name, "aedes", {});
  return openMosquitto(name, dataDir);
}

/** One of `children/`. */
async function openChildAs(name: BrokerFigure["broker"], program: string, options: object): Promise<Subject> {
  const child = await openChild<{ port: number }>(program, options);
  return {
    name,
    port: child.ready.port,
    pid: child.process.pid ?? 0,
    end: async () => await child[Symbol.asyncDispose](),
  };
}

async function openMosquitto(name: "mosquitto, durable" | "mosquitto, defaults", dataDir: string): Promise<Subject> {
  const port = await freePort();
  const durable = [
    "persistence true",
    `persistence_location ${dataDir}/`,
    "autosave_interval 1",
    "autosave_on_changes true",
  ];
  const lines = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "set_tcp_nodelay true",
    "user root",
    "log_type none",
  ];
  const file = join(dataDir, "mosquitto.conf");
  writeFileSync(file, [...lines, ...(name === "mosquitto, durable" ? durable : [])].join("\n"));
  const child: ChildProcess = spawn("mosquitto", ["-c", file], { stdio: "ignore" });
  await answers(port);
  return {
    name,
    port,
    pid: child.pid ?? 0,
    async end() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function isInstalled(program: string): boolean {
  try {
    execFileSync("which", [program]);
    return true;
  } catch {
    return false;
  }
}

/** A port that is free now, below the range that the system gives to clients. */
async function freePort(): Promise<number> {
  for (let port = 21_000 + (process.pid % 1000); ; port++) {
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
      return port;
    } catch {
      // Taken: the next one.
    } finally {
      server.close();
    }
  }
}

async function answers(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      socket.destroy();
    }
  }
}

/** Resident memory. **Source:** proc(5), VmRSS in kB. */
function rss(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

if (import.meta.main) for (const figure of await benchBroker()) console.log(JSON.stringify(figure));
