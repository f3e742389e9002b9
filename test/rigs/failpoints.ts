/** Ends edge and cloud before and after every commit and every send of a scenario, by kill or power cut, and judges it. */

import { once } from "node:events";
import { type KillReport, killBroker } from "../unit/edge/broker/killed.ts";
import { eventually } from "./eventually.ts";
import { compileShim, openShim, type Rule, type Shim } from "./faults/shim.ts";
import { folder } from "./folder.ts";
import { LIMIT_MS, openWay, type Role, type Verdict, type Way } from "./way.ts";

export interface FailpointOptions {
  /** Every how many calls an end is put; 1 is at each. */
  readonly stride: number;
  /** Told of each end. */
  readonly progress?: (end: string) => void;
}

export interface FailpointFigures extends Verdict {
  /** Calls of one scenario: from the start of the process until values have gone the whole way for a second. */
  readonly calls: Readonly<Record<Role, { readonly commits: number; readonly sends: number }>>;
  /** Ends that came, and those that were waited for in vain. */
  readonly ends: { readonly edge: number; readonly cloud: number; readonly cuts: number; readonly never: number };
  readonly seconds: number;
}

const DEVICES = 2;
const ROWS = 20;
const END_MS = 15_000;
const roles = ["edge", "cloud"] as const;

export async function runFailpoints({ stride, progress }: FailpointOptions): Promise<FailpointFigures> {
  const began = performance.now();
  using dir = folder();
  compileShim(dir.path);
  const shims = {
    edge: openShim(dir.path, "edge", { cuts: true }),
    cloud: openShim(dir.path, "cloud", { cuts: true }),
  };
  await using way = await openWay({
    devices: DEVICES,
    values: 5,
    env: { edge: shims.edge.env, cloud: shims.cloud.env },
  });
  const counted = (op: "sync" | "send") => ({ op, match: op === "sync" ? ".db" : `tcp:${way.port}` }) as const;

  await way.kill(...roles);
  for (const role of roles)
    shims[role].set({ ...counted("sync"), action: "count" }, { ...counted("send"), action: "count" });
  way.start(...roles);
  await way.online();
  const goal = way.hear() + ROWS;
  await eventually(() => way.hear() > goal, LIMIT_MS);
  const callsOf = (role: Role) => ({ commits: shims[role].count(0), sends: shims[role].count(1) });
  const calls = { edge: callsOf("edge"), cloud: callsOf("cloud") };

  const ends = { edge: 0, cloud: 0, cuts: 0, never: 0 };
  let round = 0;
  for (const role of roles)
    for (const op of ["sync", "send"] as const)
      for (let at = 1; at <= calls[role][op === "sync" ? "commits" : "sends"]; at += stride) {
        // The sides take turns when not every call is met, and so do kill and power cut.
        const sides =
          stride === 1
            ? (["kill before", "kill after"] as const)
            : ([round % 2 ? "kill before" : "kill after"] as const);
        for (const action of sides) {
          const cut = round++ % 4 > 1;
          const came = await endAt(way, role, shims, { ...counted(op), action, at, cut });
          ends[came ? role : "never"]++;
          if (came && cut) ends.cuts++;
          progress?.(`${role} ${action} ${op} ${at}${cut ? ", power cut" : ""}${came ? "" : ": never came"}`);
        }
      }
  for (const role of roles) shims[role].set();
  await way.kill(...roles);
  way.start(...roles);
  return { calls, ends, ...(await way.judge()), seconds: (performance.now() - began) / 1000 };
}

/** Starts a role anew, with an end in its way; false when that did not come. The other side is new as well, so that it dials at once. */
async function endAt(way: Way, role: Role, shims: Readonly<Record<Role, Shim>>, rule: Rule): Promise<boolean> {
  await way.kill(...roles);
  for (const each of roles) shims[each].set();
  shims[role].set(rule);
  way.start(...roles);
  const late = new AbortController();
  const end = await Promise.race([way.ended(role), pause(END_MS, late.signal)]);
  late.abort();
  return end !== "late";
}

function pause(ms: number, signal: AbortSignal): Promise<"late"> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, "late");
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
}

export interface BrokerFigures extends KillReport {
  /** Ends that came. */
  readonly ends: number;
  readonly seconds: number;
}

/** The same for the broker: two publishers, then the subscriber that was away, until `most` commits and as many sends. */
export async function runBrokerFailpoints(most: number, stride: number): Promise<BrokerFigures> {
  const began = performance.now();
  using dir = folder();
  compileShim(dir.path);
  const shim = openShim(dir.path, "broker", { cuts: true });
  const points = Array.from({ length: Math.ceil(most / stride) }, (_, i) => i * stride + 1);
  const rules = points.flatMap((at, i) =>
    (["sync", "send"] as const).map((op, j): Rule => {
      const action = (i + j) % 2 ? "kill before" : "kill after";
      return { op, match: op === "sync" ? ".db" : "tcp:", action, at, cut: i % 4 > 1 };
    }),
  );
  let ends = 0;
  const report = await killBroker(`${dir.path}/data`, {
    writes: rules.length,
    reads: rules.length,
    env: shim.env,
    arm(round) {
      const rule = round === undefined ? undefined : rules[round % rules.length];
      shim.set(...(rule ? [rule] : []));
    },
    async end(child) {
      // A reader may be through before the end comes.
      const late = new AbortController();
      if ((await Promise.race([once(child, "exit"), pause(1_000, late.signal)])) !== "late") ends++;
      late.abort();
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  });
  return { ...report, ends, seconds: (performance.now() - began) / 1000 };
}
