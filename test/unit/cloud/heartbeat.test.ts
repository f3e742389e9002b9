import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openTunnel, type Tunnel, type TunnelEvent } from "#cloud/tunnel/server";
import { type Hello, Session } from "#cloud/tunnel/session";
import { silent } from "#std/log";
import { createAuthority, issue } from "#std/x509";
import type { CarrierTls } from "#wire/carrier";
import { eventually } from "../../rigs/eventually.ts";
import { fakeEdge } from "../../rigs/fake-edge.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";

let clock: ManualClock;
let tunnel: Tunnel;
let tls: CarrierTls;
let events: TunnelEvent[];
let url: string;

beforeEach(async () => {
  clock = manualClock();
  events = [];
  const ca = await createAuthority("ca", 1);
  const server = await issue(ca, { commonName: "cloud", hosts: ["127.0.0.1"], usage: "server", days: 1 });
  tls = { ...(await issue(ca, { commonName: "site-a", usage: "client", days: 1 })), authority: ca.certificate };
  tunnel = await openTunnel({
    host: "127.0.0.1",
    port: 0,
    tls: { ...server, authority: ca.certificate },
    program: "test",
    admits: () => true,
    enter: async () => {},
    duplicate: () => undefined,
    have: () => [],
    handle: async (event) => void events.push(event),
    log: silent,
    clock,
  });
  url = `wss://127.0.0.1:${tunnel.port}`;
});
afterEach(async () => {
  await tunnel[Symbol.asyncDispose]();
});

test("a node that hears nothing else hears a ping", async () => {
  using edge = await fakeEdge({ url, tls });
  await eventually(() => edge.of("welcome").length === 1);
  await clock.pass(10_000);
  expect(edge.of("ping")).toEqual([]);
  await clock.pass(2_000);
  await eventually(() => edge.of("ping").length === 1);
});

test("a node that is silent for 25 s is gone, one that pings is not", async () => {
  using edge = await fakeEdge({ url, tls });
  await eventually(() => edge.of("welcome").length === 1);
  for (let i = 0; i < 4; i++) {
    await clock.pass(10_000);
    edge.say({ kind: "ping" });
    const session = tunnel.sessions.get("site-a");
    await eventually(() => session?.silentMs === 0);
  }
  expect(tunnel.isConnected("site-a")).toBe(true);
  await clock.pass(27_000);
  await eventually(() => edge.isClosed);
  await eventually(() => events.some((event) => event.on === "disconnected" && event.reason.includes("23 s")));
  expect(tunnel.isConnected("site-a")).toBe(false);
});

test("a connection that never says hello ends", async () => {
  using edge = await fakeEdge({ url, tls, greets: false });
  await eventually(async () => {
    await clock.pass(1_000);
    return edge.isClosed;
  });
  expect(events).toEqual([]);
});

test("a node that takes nothing loses its connection before it costs the cloud its memory", async () => {
  let closed: string | undefined;
  const carrier = {
    peer: "site-a",
    address: "rig",
    isBehind: false,
    ping: async () => true,
    bufferedBytes: 8 * 1024 * 1024 + 1,
    send: () => {},
    frames: (async function* () {})(),
    close: (reason: string) => {
      closed = reason;
    },
  };
  const session = new Session(carrier, { kind: "hello" } as Hello, clock);
  expect(session.send({ kind: "ping" })).toBe(false);
  expect(closed).toContain("takes none");
});
