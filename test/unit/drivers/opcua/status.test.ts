import { describe, expect, test } from "@jest/globals";
import { isGone, readingOf, severityOf } from "#drivers/opcua/status";

const good = { value: 0, name: "Good" };
const double = (value: number) => ({ dataType: 11, arrayType: 0, value });
const node = { nodeId: "s=x" };

describe("a status code", () => {
  test.each([
    [0x00000000, "good"],
    [0x00960000, "good"],
    [0x40900000, "uncertain"],
    [0x80340000, "bad"],
    [0xc0000000, "bad"],
  ])("of %i is as its two highest bits say", (value, severity) => {
    expect(severityOf({ value, name: "" })).toBe(severity);
  });

  test.each([
    ["BadNodeIdUnknown", "DEVICE_REFUSED"],
    ["BadSensorFailure", "DEVICE_REFUSED"],
    ["BadUserAccessDenied", "DEVICE_REFUSED"],
    ["BadNoCommunication", "DEVICE_TIMEOUT"],
    ["BadWaitingForInitialData", "DEVICE_TIMEOUT"],
    ["BadTooManyOperations", "OVERLOADED"],
    ["BadDataEncodingInvalid", "ANSWER_INVALID"],
  ])("%s is a reading that is not ok, with %s and its own name", (name, code) => {
    const reading = readingOf({ statusCode: { value: 0x80000000, name }, value: double(1) }, node, 5);
    expect(reading).toMatchObject({ ok: false, at: 5, fault: { code, message: expect.stringContaining(name) } });
  });

  test("without a name is told by its number", () => {
    const reading = readingOf({ statusCode: { value: 0x8fff0000, name: "" } }, node, 5);
    expect(reading).toMatchObject({ ok: false, fault: { message: "s=x: the server says 0x8fff0000" } });
  });

  test("that is uncertain gives the value with a doubt", () => {
    const statusCode = { value: 0x40900000, name: "UncertainLastUsableValue" };
    expect(readingOf({ statusCode, value: double(2) }, node, 5)).toEqual({
      ok: true,
      raw: 2,
      at: 5,
      doubt: "UncertainLastUsableValue",
    });
  });

  test("that is good without a value is no value", () => {
    for (const value of [undefined, null, { dataType: 0, arrayType: 0, value: null }])
      expect(readingOf({ statusCode: good, value }, node, 5)).toMatchObject({
        ok: false,
        fault: { code: "ANSWER_INVALID" },
      });
  });

  test.each(["BadSessionIdInvalid", "BadSessionClosed", "BadSecureChannelClosed"])("%s ends the link", (name) => {
    expect(isGone(name)).toBe(true);
  });

  test("about one node does not end the link", () => {
    expect(isGone("BadNodeIdUnknown")).toBe(false);
  });
});

describe("the time of a reading", () => {
  const [source, server, none] = [new Date(1000), new Date(2000), new Date("1601-01-01")];
  test.each([
    ["the source's", { sourceTimestamp: source, serverTimestamp: server }, 1000],
    ["the server's when the source has none", { sourceTimestamp: null, serverTimestamp: server }, 2000],
    [
      "the server's when the source's is the zero of the format",
      { sourceTimestamp: none, serverTimestamp: server },
      2000,
    ],
    ["ours when there is no other", {}, 5],
  ])("is %s", (_, times, at) => {
    expect(readingOf({ statusCode: good, value: double(1), ...times }, node, 5).at).toBe(at);
  });
});
