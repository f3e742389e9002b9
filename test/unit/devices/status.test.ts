import { expect, test } from "@jest/globals";
import { deviceReport, identityOf } from "#devices/status";
import { answering } from "../../rigs/fake-edge.ts";

test("what a device says of itself is passed on as printable texts", () => {
  expect(identityOf({ vendor: " Acme\u0000\n Ltd ", revision: "2.1", empty: "\u0007" })).toEqual({
    vendor: "Acme Ltd",
    revision: "2.1",
  });
});

test("a device that says nothing of itself has no identity", () => {
  expect(identityOf({})).toBeUndefined();
  expect(identityOf({ vendor: " " })).toBeUndefined();
});

test("what a device says of itself always fits into a report, however much it is", () => {
  const much = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${"n".repeat(100)}${i}`, "x".repeat(1000)]));
  const few = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`fact${i}`, "x".repeat(1000)]));
  for (const facts of [much, few]) {
    const report = answering({ uid: "u", name: "boiler-1" }, { identity: identityOf(facts) ?? {} });
    expect(deviceReport.safeParse(report).success).toBe(true);
  }
  expect(Object.keys(identityOf(few) ?? {})).toHaveLength(16);
});

test("the report of an older node, without link and identity, is valid", () => {
  const report = answering({ uid: "u", name: "boiler-1" });
  expect([report.link, report.identity]).toEqual([undefined, undefined]);
  expect(deviceReport.safeParse(report).success).toBe(true);
});
