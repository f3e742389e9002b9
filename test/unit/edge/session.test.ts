import { describe, expect, test } from "@jest/globals";
import { Supervisor } from "#edge/devices/supervisor";
import { Grants } from "#edge/grants";
import { Lineage } from "#edge/lineage";
import { Outbox } from "#edge/outbox";
import type { Renewal } from "#edge/renewal";
import { converse } from "#edge/session";
import { openStore } from "#edge/store";
import { silent } from "#std/log";
import { Scope } from "#std/scope";
import type { Range } from "#wire/messages";
import { boiler } from "../../rigs/boiler.ts";
import { eventually } from "../../rigs/eventually.ts";
import { fakeCloud } from "../../rigs/fake-carrier.ts";
import { manualClock } from "../../rigs/manual-clock.ts";
import { twinsRig } from "../../rigs/twins.ts";

/** A node's side of a conversation; its disk outlives the connection. */
function nodeRig(limitBytes = 1e9) {
  const store = openStore(":memory:", silent);
  const clock = manualClock();
  const { twins } = twinsRig(store, clock);
  const outbox = new Outbox(store.db, { limitBytes, limitMs: 1e9 });
  // These rows were written after a first connection.
  void outbox.meet([]);
  const supervisor = new Supervisor(store.db, {}, { twins, visited: () => undefined, log: silent, clock });
  const renewal = { request: async () => undefined, identity: { certificate: "c" } } as unknown as Renewal;
  const grants = new Grants(store.db);
  const lineage = new Lineage(store.db, outbox.head);
  const ports = { twins, renewal, outbox, grants, lineage, supervisor, program: "test", clock, log: silent };
  const append = (body: string) => outbox.append({ device: "b", namespace: "n", kind: "event", at: 0, body });
  return {
    ...{ twins, outbox, clock, append, store, supervisor },
    fill: (count: number, size = 1) => Promise.all(Array.from({ length: count }, () => append("x".repeat(size)))),
    /** Begins a conversation. */
    talk() {
      const cloud = fakeCloud();
      const scope = new Scope();
      let isUp = false;
      const up = () => {
        isUp = true;
      };
      scope.run("session", (signal) => converse(cloud.carrier, ports, signal, up));
      const welcome = (have: Range[] = [], version = 1) => cloud.say({ kind: "welcome", version, program: "c", have });
      return {
        ...{ cloud, welcome },
        done: () => scope.done(),
        isUp: () => isUp,
        seqs: () => cloud.of("rows").map(({ rows }) => rows.map(({ seq }) => seq)),
        [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
      };
    },
  };
}

test("a node says who it is and waits for the welcome", async () => {
  const node = nodeRig();
  await node.fill(3);
  await using talk = node.talk();
  const [hello] = talk.cloud.heard;
  const { epoch } = node.store;
  const runs = [expect.any(String)];
  expect(hello).toEqual({ kind: "hello", version: 1, program: "test", epoch, head: 3, runs });
  expect([talk.cloud.heard.length, talk.isUp()]).toEqual([1, false]);
  talk.welcome();
  await eventually(talk.isUp);
});

describe("rows", () => {
  test("from before go in order, those of now do not wait behind them", async () => {
    const node = nodeRig();
    await node.fill(300, 2000);
    await using talk = node.talk();
    talk.welcome();
    await eventually(() => talk.seqs().length === 1);
    await node.append("live");
    await eventually(() => talk.seqs().length === 2);
    const [backlog = [], live] = talk.seqs();
    expect(live).toEqual([301]);
    expect(backlog[0]).toBe(1);
    talk.cloud.say({ kind: "taken", ranges: [[1, backlog.length]] });
    await eventually(() => talk.seqs().length === 3);
    expect(talk.seqs()[2]?.[0]).toBe(backlog.length + 1);
  });

  test("that the cloud has are not sent again, and are gone from the disk", async () => {
    const node = nodeRig();
    await node.fill(10);
    await using talk = node.talk();
    talk.welcome([
      [1, 4],
      [7, 8],
    ]);
    await eventually(() => talk.seqs().length > 0);
    talk.cloud.say({ kind: "taken", ranges: [[5, 6]] });
    await eventually(() => talk.seqs().flat().length === 4);
    expect(talk.seqs().flat()).toEqual([5, 6, 9, 10]);
    talk.cloud.say({ kind: "taken", ranges: [[9, 10]] });
    await eventually(() => node.outbox.rows === 0);
  });

  test("that were not acknowledged are sent again by the next connection", async () => {
    const node = nodeRig();
    {
      await using first = node.talk();
      first.welcome();
      await eventually(first.isUp);
      await node.fill(2);
      await eventually(() => first.seqs().flat().length === 2);
    }
    await using second = node.talk();
    second.welcome([[1, 1]]);
    await eventually(() => second.seqs().flat().length === 1);
    expect(second.seqs()).toEqual([[2]]);
  });

  test("that wait for the cloud are bounded", async () => {
    const node = nodeRig();
    await using talk = node.talk();
    talk.welcome();
    await eventually(talk.isUp);
    for (let i = 0; i < 15; i++) await node.fill(10, 50_000);
    await eventually(() => talk.seqs().flat().length >= 40);
    const sent = talk.seqs().flat();
    expect(sent.length * 50_000).toBeLessThan(3 * 1024 * 1024);
    talk.cloud.say({ kind: "taken", ranges: [[1, sent.at(-1) ?? 0]] });
    await eventually(() => talk.seqs().flat().length > sent.length);
  });

  test("that a limit dropped are told once, and forgotten when the cloud has heard", async () => {
    const node = nodeRig(2000);
    await node.fill(10, 420);
    const [dropped] = node.outbox.untold();
    await using talk = node.talk();
    talk.welcome();
    await eventually(() => talk.cloud.of("missing").length > 0);
    await node.append("more");
    const told = talk.cloud.of("missing");
    expect(told[0]).toEqual({ kind: "missing", ranges: [dropped?.range], reason: "size limit", lost: dropped?.lost });
    expect(new Set(told.map(({ ranges }) => ranges[0]?.[0])).size).toBe(told.length);
    talk.cloud.say({ kind: "taken", ranges: [[1, 11]] });
    await eventually(() => node.outbox.untold().length === 0);
  });
});

describe("devices", () => {
  test("are stored before that is said", async () => {
    const node = nodeRig();
    await using talk = node.talk();
    talk.welcome();
    talk.cloud.say({ kind: "device", device: boiler("a"), grant: "g" });
    await eventually(() => talk.cloud.of("stored").length === 1);
    expect(talk.cloud.of("stored")).toEqual([{ kind: "stored", uid: "uid-a", generation: 1 }]);
    expect(node.store.db.prepare("select uid from declaration").all()).toEqual([{ uid: "uid-a" }]);
  });

  test("that are not in the roster are removed", async () => {
    const node = nodeRig();
    for (const name of ["a", "b", "c"]) await node.supervisor.declare(boiler(name));
    await using talk = node.talk();
    talk.welcome();
    talk.cloud.say({ kind: "gone", uid: "uid-a" });
    talk.cloud.say({ kind: "roster", uids: ["uid-b"] });
    await eventually(() => [...node.twins.all].length === 1);
    expect([...node.twins.all].map(({ declared }) => declared.name)).toEqual(["b"]);
    expect(node.store.db.prepare("select uid from declaration").all()).toEqual([{ uid: "uid-b" }]);
  });

  test("are reported whole after the welcome, and again when they change", async () => {
    const node = nodeRig();
    await node.supervisor.declare(boiler("a"));
    await using talk = node.talk();
    talk.welcome();
    await eventually(() => talk.cloud.of("report").length === 1);
    expect(talk.cloud.of("report")[0]?.report).toMatchObject({ uid: "uid-a", online: false, reason: "DRIVER_UNKNOWN" });
    const twin = node.twins.named("a");
    for (const reason of ["one", "two"]) node.twins.setHealth(twin, { online: true, reason, message: "" });
    await node.clock.pass(500);
    await eventually(() => talk.cloud.of("report").length === 2);
    expect(talk.cloud.of("report")[1]?.report.reason).toBe("two");
  });
});

describe("a conversation ends", () => {
  test("with the reason that the cloud gives, before or after the welcome", async () => {
    await using early = nodeRig().talk();
    early.cloud.say({ kind: "refused", code: "NODE_DUPLICATE", message: "another one is here" });
    await expect(early.done()).rejects.toMatchObject({
      code: "NODE_DUPLICATE",
      message: "the cloud refused: another one is here",
    });
    await using late = nodeRig().talk();
    late.welcome();
    late.cloud.say({ kind: "refused", code: "OF_A_NEWER_VERSION", message: "why" });
    await expect(late.done()).rejects.toMatchObject({ code: "UPLINK_LOST", message: "the cloud refused: why" });
  });

  const fails = async (talk: ReturnType<ReturnType<typeof nodeRig>["talk"]>, code: string) => {
    await expect(talk.done()).rejects.toMatchObject({ code });
    expect(talk.cloud.isClosed).toBe(true);
  };

  test("when the cloud hangs up", async () => {
    await using talk = nodeRig().talk();
    talk.cloud.hangUp();
    await fails(talk, "UPLINK_LOST");
  });

  test.each([0, 2])("when the cloud speaks version %d", async (version) => {
    await using talk = nodeRig().talk();
    talk.welcome([], version);
    await fails(talk, "VERSION_UNSUPPORTED");
    expect(talk.isUp()).toBe(false);
  });

  test("when something comes before the welcome, or the welcome twice", async () => {
    await using early = nodeRig().talk();
    early.cloud.say({ kind: "roster", uids: [] });
    await fails(early, "FRAME_INVALID");
    await using twice = nodeRig().talk();
    twice.welcome();
    twice.welcome();
    await fails(twice, "FRAME_INVALID");
  });

  test("when bytes come that are no message", async () => {
    await using talk = nodeRig().talk();
    talk.cloud.sayBytes(Uint8Array.of(1, 2, 3));
    await fails(talk, "FRAME_INVALID");
  });

  test("when the cloud falls silent, whatever TCP believes", async () => {
    const node = nodeRig();
    await using talk = node.talk();
    talk.welcome();
    await eventually(talk.isUp);
    const ended = talk.done().catch((error: unknown) => error);
    await node.clock.pass(16_000);
    expect(talk.cloud.isClosed).toBe(false);
    expect(talk.cloud.of("ping").length).toBeGreaterThan(0);
    await node.clock.pass(9_000);
    expect(await ended).toMatchObject({ code: "UPLINK_LOST" });
  });

  test("not while the cloud says anything at all", async () => {
    const node = nodeRig();
    await using talk = node.talk();
    talk.welcome();
    await eventually(talk.isUp);
    for (let i = 0; i < 10; i++) {
      talk.cloud.say({ kind: "ping" });
      await node.clock.pass(8_000);
    }
    expect(talk.cloud.isClosed).toBe(false);
  });

  test("when no welcome comes, also if pings do", async () => {
    const node = nodeRig();
    await using talk = node.talk();
    const ended = talk.done().catch((error: unknown) => error);
    for (let i = 0; i < 5; i++) {
      talk.cloud.say({ kind: "ping" });
      await node.clock.pass(4_000);
    }
    expect(talk.cloud.isClosed).toBe(true);
    expect(await ended).toMatchObject({ message: "the cloud did not say welcome" });
  });
});

test("reports wait while the cloud takes nothing, and then say what is true by then", async () => {
  const node = nodeRig();
  await node.supervisor.declare(boiler());
  await using talk = node.talk();
  Object.assign(talk.cloud.carrier, { bufferedBytes: 2 * 1024 * 1024 });
  talk.welcome();
  await eventually(talk.isUp);
  for (let turn = 0; turn < 20; turn++) await node.append("x");
  expect(talk.cloud.of("report")).toEqual([]);
  await node.supervisor.declare(boiler("boiler-1", {}, { generation: 2 }));
  Object.assign(talk.cloud.carrier, { bufferedBytes: 0 });
  await eventually(async () => {
    await node.clock.pass(500);
    return talk.cloud.of("report").length > 0;
  });
  expect(talk.cloud.of("report")[0]?.report.generation).toBe(2);
});
