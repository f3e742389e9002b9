import { describe, expect, test } from "@jest/globals";
import { parseNodeId, resolveNodeId, tellNodeId } from "#drivers/opcua/node-id";

const URI = "http://example.org/a;b%";
const namespaces = ["http://opcfoundation.org/UA/", "urn:server", URI];

describe("a node id", () => {
  test.each([
    ["ns=2;s=Boiler.Temp", { namespace: { index: 2 }, kind: "s", id: "Boiler.Temp" }],
    ["ns=2;s=a;b=c", { namespace: { index: 2 }, kind: "s", id: "a;b=c" }],
    ["nsu=http://example.org/a%3Bb%25;s=x", { namespace: { uri: URI }, kind: "s", id: "x" }],
    ["nsu=urn:x;i=4294967295", { namespace: { uri: "urn:x" }, kind: "i", id: "4294967295" }],
    ["s=Boiler", { kind: "s", id: "Boiler" }],
    ["i=2258", { kind: "i", id: "2258" }],
    ["g=09087e75-8e5e-499b-954f-f2a9603db28a", { kind: "g", id: "09087e75-8e5e-499b-954f-f2a9603db28a" }],
    ["ns=1;b=AQL/", { namespace: { index: 1 }, kind: "b", id: "AQL/" }],
  ])("%s is understood", (text, parsed) => {
    expect(parseNodeId(text)).toEqual(parsed);
  });

  test.each([
    "",
    "Boiler",
    "ns=2;Boiler",
    "ns=65536;s=x",
    "i=4294967296",
    "i=-1",
    "i=x",
    "g=1234",
    "b=AQL",
    "s=",
    "x=1",
  ])("%j is none", (text) => {
    expect(parseNodeId(text)).toBeUndefined();
  });

  test("longer than the standard allows is none", () => {
    expect(parseNodeId(`s=${"x".repeat(4096)}`)).toBeUndefined();
  });

  test("is found by the URI of its namespace, wherever the server has it", () => {
    const address = { namespace: { uri: URI }, kind: "s", id: "x" } as const;
    expect(resolveNodeId(address, namespaces).index).toBe(2);
    expect(resolveNodeId(address, [...namespaces].reverse()).index).toBe(0);
  });

  test("without a namespace is in the station's, or in the standard's", () => {
    expect(resolveNodeId({ kind: "s", id: "x" }, namespaces, "urn:server").index).toBe(1);
    expect(resolveNodeId({ kind: "i", id: "85" }, namespaces).index).toBe(0);
  });

  test("of a namespace that the server does not have is refused", () => {
    expect(() => resolveNodeId({ namespace: { uri: "urn:gone" }, kind: "i", id: "1" }, namespaces)).toThrow("urn:gone");
  });

  test.each([
    [{ index: 0, kind: "i", id: "85" } as const, "i=85"],
    [{ index: 2, kind: "s", id: "x" } as const, "nsu=http://example.org/a%3Bb%25;s=x"],
    [{ index: 9, kind: "s", id: "x" } as const, "ns=9;s=x"],
  ])("is told so that it can be parsed again", (resolved, text) => {
    expect(tellNodeId(resolved, namespaces)).toBe(text);
    expect(parseNodeId(text)).toBeDefined();
  });
});
