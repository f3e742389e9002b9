/** Thousands of nodes that lost their cloud together come back together, each with a backlog. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openAuthorityKeys } from "#cloud/join/authority";
import { reconnectMs } from "#edge/uplink";
import { silent } from "#std/log";
import { issue } from "#std/x509";
import { type CarrierTls, dial } from "#wire/carrier";
import { decodeFrame, encodeFrame } from "#wire/frame";
import { cloudMessage, type Row } from "#wire/messages";
import { answering, telemetry } from "../rigs/fake-edge.ts";
import { freePort } from "../rigs/free-port.ts";
import { type Child, openChild } from "./child.ts";

export interface StormFigures {
  readonly nodes: number;
  /** From the moment the cloud listens until a node's backlog is on its disk, in seconds: half of the nodes, and all. */
  readonly halfS: number;
  readonly allS: number;
  /** Connections that were tried and not welcome, per node. */
  readonly failed: number;
  /** How long a node that is through waits for the acknowledgement of a live row meanwhile, in milliseconds. */
  readonly liveP50Ms: number;
  readonly liveP99Ms: number;
  /** Of the cloud: highest resident memory, and how late its event loop was. */
  readonly peakMiB: number;
  readonly loopP99Ms: number;
}

const BACKLOG_ROWS = 50;
const LIVE_MS = 100;

interface Node {
  readonly name: string;
  readonly tls: CarrierTls;
  /** Highest number given and taken. */
  head: number;
  taken: number;
  doneAt: number | undefined;
}

/** The figures of a restart of the cloud with so many nodes. */
export async function benchStorm(count: number): Promise<StormFigures> {
  const dataDir = mkdtempSync(join(tmpdir(), "skerry-bench-"));
  const port = await freePort();
  const end = new AbortController();
  const open = () => openChild<object>("storm", { dataDir, port, nodes: count });
  const running: Promise<void>[] = [];
  let cloud: Child<object> | undefined;
  try {
    const nodes = await makeNodes(dataDir, count);
    const storm = { failed: 0, live: [] as number[] };
    for (const node of nodes) running.push(live(node, { port, storm, signal: end.signal }));
    cloud = await open();
    await all(nodes);
    cloud.process.kill("SIGKILL");
    await cloud[Symbol.asyncDispose]();
    // Long enough for the waits of the nodes to have grown to their longest.
    await delay(8_000);
    Object.assign(storm, { failed: 0, live: [] });
    for (const node of nodes) Object.assign(node, { head: node.head + BACKLOG_ROWS, doneAt: undefined });
    cloud = await open();
    const began = performance.now();
    await all(nodes);
    const { rssBytes, loopMs } = await cloud.usage<{ loopMs: number }>();
    const times = nodes.map(({ doneAt = 0 }) => doneAt - began).sort((a, b) => a - b);
    const waits = storm.live.sort((a, b) => a - b);
    return {
      nodes: count,
      halfS: (times[times.length >> 1] ?? 0) / 1000,
      allS: (times.at(-1) ?? 0) / 1000,
      failed: storm.failed / count,
      liveP50Ms: waits[waits.length >> 1] ?? 0,
      liveP99Ms: waits[Math.floor(waits.length * 0.99)] ?? 0,
      peakMiB: rssBytes / 2 ** 20,
      loopP99Ms: loopMs,
    };
  } finally {
    end.abort();
    await Promise.all(running);
    await cloud?.[Symbol.asyncDispose]();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function makeNodes(dataDir: string, count: number): Promise<readonly Node[]> {
  const authority = await openAuthorityKeys(dataDir, silent);
  const nodes: Node[] = [];
  for (let i = 0; i < count; i++) {
    const name = `site-${i}`;
    const it = await issue(authority, { commonName: name, usage: "client", days: 1 });
    nodes.push({ name, tls: { ...it, authority: authority.certificate }, head: 1, taken: 0, doneAt: undefined });
  }
  return nodes;
}

async function all(nodes: readonly Node[]): Promise<void> {
  while (nodes.some(({ doneAt }) => doneAt === undefined)) await delay(20);
}

interface Surroundings {
  readonly port: number;
  readonly storm: { failed: number; readonly live: number[] };
  readonly signal: AbortSignal;
}

/** Dials as a node does, again and again. */
async function live(node: Node, { port, storm, signal }: Surroundings): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    let failure: unknown;
    try {
      const carrier = await dial(`wss://127.0.0.1:${port}`, node.tls, signal);
      const close = () => carrier.close("the bench ends");
      signal.addEventListener("abort", close, { once: true });
      try {
        await talk(node, carrier, storm);
      } finally {
        signal.removeEventListener("abort", close);
      }
      failures = 0;
    } catch (error) {
      failure = error;
      storm.failed++;
    }
    await delay(reconnectMs(failure, failures++), undefined, { signal }).catch(() => undefined);
  }
}

async function talk(node: Node, carrier: Awaited<ReturnType<typeof dial>>, storm: Surroundings["storm"]) {
  const { name } = node;
  const device = name.replace("site", "boiler");
  const rowOf = (seq: number): Row => telemetry(seq, { device });
  const hello = { version: 1, program: "bench", epoch: name, head: node.head, runs: ["one"] };
  carrier.send(encodeFrame({ kind: "hello", ...hello }));
  let sentAt = 0;
  // The first nodes go on saying something, as nodes do.
  const isLive = /-\d$/.test(name);
  for await (const frame of carrier.frames) {
    const message = decodeFrame(cloudMessage, frame);
    if (message.kind === "device") {
      const { namespace } = message.device;
      carrier.send(encodeFrame({ kind: "grants", grants: [{ namespace, device, grant: message.grant }] }));
      carrier.send(encodeFrame({ kind: "report", report: answering({ uid: message.device.uid, name: device }) }));
      const seqs = Array.from({ length: node.head - node.taken }, (_, i) => node.taken + 1 + i);
      carrier.send(encodeFrame({ kind: "rows", rows: seqs.map(rowOf) }));
    }
    if (message.kind !== "taken") continue;
    node.taken = Math.max(node.taken, message.ranges.at(-1)?.[1] ?? 0);
    if (sentAt > 0) storm.live.push(performance.now() - sentAt);
    if (node.taken >= node.head) node.doneAt ??= performance.now();
    if (!isLive) continue;
    await delay(LIVE_MS);
    sentAt = performance.now();
    carrier.send(encodeFrame({ kind: "rows", rows: [rowOf(++node.head)] }));
  }
}
