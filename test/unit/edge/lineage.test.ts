import { expect, test } from "@jest/globals";
import { Lineage } from "#edge/lineage";
import { openStore, renumber } from "#edge/store";
import { silent } from "#std/log";
import { folder } from "../../rigs/folder.ts";

/** A process that says hello, and is perhaps welcome. */
function speak(db: ConstructorParameters<typeof Lineage>[0], head: number, { isWelcome = true } = {}) {
  const lineage = new Lineage(db, head);
  const { runs } = lineage.hello("cert");
  if (isWelcome) lineage.welcomed();
  return { first: lineage.first, runs };
}

test("each process that said hello is remembered, the latest hundred", () => {
  using store = openStore(":memory:", silent);
  const first = speak(store.db, 0);
  new Lineage(store.db, 10);
  const second = speak(store.db, 20);
  expect(second.runs).toEqual([...first.runs, expect.any(String)]);
  for (let head = 0; head < 150; head++) speak(store.db, head);
  const { runs } = speak(store.db, 150);
  expect([new Set(runs).size, runs.includes(first.runs[0] ?? "")]).toEqual([100, false]);
});

test("what was written before a process was welcome may be unknown to the cloud, whoever wrote it", () => {
  using store = openStore(":memory:", silent);
  expect(speak(store.db, 10).first).toBe(11);
  expect(new Lineage(store.db, 20).first).toBe(21);
  expect(new Lineage(store.db, 30).first).toBe(21);
  expect(speak(store.db, 40, { isWelcome: false }).first).toBe(21);
  expect(speak(store.db, 50).first).toBe(21);
  expect(speak(store.db, 60).first).toBe(61);
});

test("who was refused goes on under a new epoch once it has joined anew, and not before", () => {
  using store = openStore(":memory:", silent);
  const lineage = new Lineage(store.db, 0);
  const { epoch } = lineage.hello("cert");
  lineage.refused("cert");
  expect(lineage.hello("cert").epoch).toBe(epoch);
  const anew = lineage.hello("other cert").epoch;
  expect(anew).not.toBe(epoch);
  expect(lineage.hello("third cert").epoch).toBe(anew);
});

test("who is welcome again keeps its epoch over renewals", () => {
  using store = openStore(":memory:", silent);
  const lineage = new Lineage(store.db, 0);
  const { epoch } = lineage.hello("cert");
  lineage.refused("cert");
  lineage.welcomed();
  expect(lineage.hello("renewed cert").epoch).toBe(epoch);
});

test("a restored backup says so until it is welcome", () => {
  using dir = folder();
  openStore(dir.path, silent)[Symbol.dispose]();
  renumber(dir.path, Date.now(), silent);
  using store = openStore(dir.path, silent);
  const lineage = new Lineage(store.db, 0);
  expect(lineage.hello("cert").restored).toBe(true);
  expect(new Lineage(store.db, 0).hello("cert").restored).toBe(true);
  lineage.welcomed();
  expect(lineage.hello("cert").restored).toBeUndefined();
});
