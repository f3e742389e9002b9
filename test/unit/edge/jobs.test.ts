import { expect, test } from "@jest/globals";
import type { Connection } from "#devices/driver";
import { Jobs } from "#edge/devices/jobs";

const connection = {} as Connection;
const never = (_: Connection, signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

test("a job under way ends with its link, however long its caller would wait", async () => {
  const [jobs, caller, link] = [new Jobs(), new AbortController(), new AbortController()];
  const asked = jobs.ask(never, caller.signal);
  const done = jobs.shift()?.(connection, link.signal);
  link.abort(new Error("the link ends"));
  await expect(asked).rejects.toThrow("the link ends");
  await done;
});

test("a job under way ends with its caller", async () => {
  const [jobs, caller, link] = [new Jobs(), new AbortController(), new AbortController()];
  const asked = jobs.ask(never, caller.signal);
  const done = jobs.shift()?.(connection, link.signal);
  caller.abort(new Error("the caller left"));
  await expect(asked).rejects.toThrow("the caller left");
  await done;
});
