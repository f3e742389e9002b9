import { expect, test } from "@jest/globals";
import type { DeviceTwin } from "#edge/device-twin";
import { Jobs } from "#edge/devices/jobs";
import type { Requests } from "#edge/devices/requests";
import { boiler } from "../../rigs/boiler.ts";
import { twinsRig } from "../../rigs/twins.ts";

const requests = {} as Requests;
const never = (_: Requests, signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
const twin: DeviceTwin = twinsRig().declare(boiler("boiler-1"));

test("a job under way ends with its link, however long its caller would wait", async () => {
  const [jobs, caller, link] = [new Jobs(), new AbortController(), new AbortController()];
  const asked = jobs.ask(twin, never, caller.signal);
  const done = jobs.shift()?.(requests, link.signal);
  link.abort(new Error("the link ends"));
  await expect(asked).rejects.toThrow("the link ends");
  await done;
});

test("a job under way ends with its caller", async () => {
  const [jobs, caller, link] = [new Jobs(), new AbortController(), new AbortController()];
  const asked = jobs.ask(twin, never, caller.signal);
  const done = jobs.shift()?.(requests, link.signal);
  caller.abort(new Error("the caller left"));
  await expect(asked).rejects.toThrow("the caller left");
  await done;
});

test("a job whose caller left is not begun", async () => {
  const [jobs, caller] = [new Jobs(), new AbortController()];
  const asked = jobs.ask(twin, never, caller.signal);
  caller.abort(new Error("the caller left"));
  await expect(asked).rejects.toThrow("the caller left");
  expect([jobs.length, jobs.shift()]).toEqual([0, undefined]);
});

test("jobs for a device that left the link are refused, and the others stay", async () => {
  const [jobs, other] = [new Jobs(), twinsRig().declare(boiler("boiler-2"))];
  const { signal } = new AbortController();
  const asked = jobs.ask(twin, never, signal);
  const stays = jobs.ask(other, async () => "done", signal);
  jobs.keepOnly([other]);
  await expect(asked).rejects.toMatchObject({ code: "DEVICE_UNKNOWN" });
  await jobs.shift()?.(requests, signal);
  expect(await stays).toBe("done");
});

test("more jobs than can wait are refused", async () => {
  const [jobs, caller] = [new Jobs(), new AbortController()];
  const waiting = Array.from({ length: 64 }, () => jobs.ask(twin, never, caller.signal).catch(() => undefined));
  await expect(jobs.ask(twin, never, caller.signal)).rejects.toMatchObject({ code: "OVERLOADED" });
  caller.abort();
  await Promise.all(waiting);
});
