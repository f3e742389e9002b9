/** What people see of a certificate, and which one they decide about. */
import { describe, expect, test } from "@jest/globals";
import { selector } from "#cli/devices/select";
import { decisionOf, type TrustView, trustLines } from "#cli/devices/trust-lines";

const view: TrustView = {
  device: "line-1",
  endpoint: "opc.tcp://plc:4840",
  subject: "CN=plc",
  issuer: "CN=plc",
  fingerprint: "ab".repeat(32),
  thumbprint: "CD".repeat(20),
  notBefore: "2026-01-01T00:00:00.000Z",
  notAfter: "2027-01-01T00:00:00.000Z",
  endpoints: [{ mode: "SignAndEncrypt", policy: "Basic256Sha256", users: ["anonymous"] }],
  state: "undecided",
};

describe("a certificate", () => {
  test.each([
    ["2026-12-22T00:00:00Z", "10 days left"],
    ["2027-01-02T00:00:00Z", "EXPIRED"],
    ["2025-12-31T00:00:00Z", "NOT YET VALID"],
  ])("says at %s: %s", (now, text) => {
    expect(trustLines(view, Date.parse(now)).join("\n")).toContain(text);
  });

  test("comes with the command that accepts it, until it was decided about", () => {
    const now = Date.parse("2026-06-01T00:00:00Z");
    expect(trustLines(view, now).at(-1)).toContain(`--accept ${view.fingerprint}`);
    expect(trustLines({ ...view, state: "accepted" }, now).join("\n")).not.toContain("--accept");
  });

  test("is accepted by its own fingerprint and by nothing else", () => {
    expect(decisionOf(view, undefined, false)).toBeUndefined();
    expect(decisionOf(view, undefined, true)).toBe("reject");
    expect(decisionOf(view, "AB:".repeat(31).concat("AB"), false)).toBe("accept");
    expect(() => decisionOf(view, "00", false)).toThrow("presents the fingerprint");
    expect(() => decisionOf(view, view.thumbprint, false)).toThrow("presents the fingerprint");
  });
});

test.each([
  ["Boiler/*", "Boiler/Temp", true],
  ["Boiler/*", "Boiler/A/Temp", false],
  ["Boiler/**", "Boiler/A/Temp", true],
  ["**/Temp", "Temp", true],
  ["**/Temp", "A/B/Temp", true],
  ["T?mp", "Temp", true],
  ["a.b", "axb", false],
  ["A[1]", "A[1]", true],
])("the pattern %s and the path %s: %s", (pattern, path, fits) => {
  expect(selector([pattern])(path)).toBe(fits);
});
