import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Fault } from "#std/fault";
import { z } from "#std/schema";
import { decodeFrame, encodeFrame, FRAME_LIMIT_BYTES } from "#wire/frame";
import { formatToken, parseToken } from "#wire/join";
import { cloudMessage, type EdgeMessage, edgeMessage } from "#wire/messages";
import { answering } from "../../rigs/fake-edge.ts";

const seq = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const range = fc.tuple(seq, seq).map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);
const row = fc.record({
  seq,
  device: fc.string({ unit: "binary" }),
  namespace: fc.string(),
  kind: fc.constantFrom("telemetry" as const, "event" as const),
  at: fc.integer({ min: 0, max: 8.64e15 }),
  body: fc.json(),
});
const message: fc.Arbitrary<EdgeMessage> = fc.oneof(
  fc.record({ kind: fc.constant("rows" as const), rows: fc.array(row, { maxLength: 20 }) }),
  fc.record({ kind: fc.constant("missing" as const), ranges: fc.array(range), reason: fc.string() }),
  fc.record({ kind: fc.constant("stored" as const), uid: fc.string(), generation: fc.integer() }),
  fc.constant({ kind: "ping" as const }),
);

test("a message reads back as it was sent, numbers beyond 32 bits too", () => {
  fc.assert(fc.property(message, (sent) => expect(decodeFrame(edgeMessage, encodeFrame(sent))).toEqual(sent)));
});

test("any JSON value travels in a declaration", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (spec) => {
      fc.pre(!JSON.stringify(spec).includes("__proto__"));
      const device = { namespace: "n", name: "b", uid: "u", generation: 1, modelGeneration: 1, spec };
      const heard = decodeFrame(cloudMessage, encodeFrame({ kind: "device", device, grant: "g" }));
      expect(JSON.stringify(heard)).toBe(JSON.stringify({ kind: "device", device, grant: "g" }));
    }),
  );
});

test("a key that would replace the prototype arrives under a harmless name", () => {
  const spec: unknown = JSON.parse('{"__proto__":{"isAdmin":true}}');
  const device = { namespace: "n", name: "b", uid: "u", generation: 1, modelGeneration: 1, spec };
  const heard = decodeFrame(cloudMessage, encodeFrame({ kind: "device", device, grant: "g" }));
  expect(heard).toMatchObject({ device: { spec: { __proto_: { isAdmin: true } } } });
  expect(JSON.stringify(heard)).not.toContain("__proto__");
});

test("bytes that are no message are refused, whatever they are", () => {
  const isRefused = (bytes: Uint8Array) => {
    try {
      decodeFrame(edgeMessage, bytes);
      return true;
    } catch (error) {
      return Fault.is(error, "FRAME_INVALID");
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), isRefused), { numRuns: 2000 });
  const whole = encodeFrame({
    kind: "rows",
    rows: [{ seq: 1, device: "b", namespace: "n", kind: "event", at: 1, body: "{}" }],
  });
  for (let length = 0; length < whole.length; length++) expect(isRefused(whole.slice(0, length))).toBe(true);
  expect(isRefused(Uint8Array.of(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))).toBe(true);
  expect(isRefused(Uint8Array.of(0x5a, 0x7f, 0xff, 0xff, 0xff))).toBe(true);
});

test("a frame over the limit is refused before it is read", () => {
  const large = new Uint8Array(FRAME_LIMIT_BYTES + 1);
  expect(() => decodeFrame(z.unknown(), large)).toThrow(/^a frame of 4194305 bytes is over the limit of 4194304$/);
});

test("a message of the next version that has one more field is understood", () => {
  const frame = encodeFrame({ kind: "ping", mood: "good" });
  expect(decodeFrame(edgeMessage, frame)).toEqual({ kind: "ping" });
});

test.each([
  { kind: "rows", rows: Array.from({ length: 1001 }, () => ({})) },
  { kind: "hello", version: 1, program: "x", epoch: "e", head: -1 },
  { kind: "hello", version: 1.5, program: "x", epoch: "e", head: 1 },
  { kind: "constructor" },
])("%j is no message", (wrong) => {
  expect(() => decodeFrame(edgeMessage, encodeFrame(wrong))).toThrow(
    expect.objectContaining({ code: "FRAME_INVALID" }),
  );
});

test("a token reads back as it was made, and a damaged one is not repeated in the fault", () => {
  const token = { id: "0123456789ab", secret: "s".repeat(43), fingerprint: "f".repeat(64) };
  const text = formatToken(token);
  expect(parseToken(` ${text}\n`)).toEqual(token);
  for (const wrong of ["", text.slice(0, -1), text.replace(".", ","), `${text}0`]) {
    expect(() => parseToken(wrong)).toThrow(expect.objectContaining({ code: "TOKEN_INVALID" }));
    expect(() => parseToken(wrong)).toThrow(expect.objectContaining({ message: expect.not.stringContaining("sss") }));
  }
});

test.each([
  [
    "a time that no calendar has",
    { kind: "report", report: { ...answering({ uid: "u", name: "b" }), lastSeen: 8.64e15 + 1 } },
  ],
  ["a range that ends before it begins", { kind: "missing", ranges: [[5, 4]], reason: "size limit" }],
  ["more ranges than a node ever tells", { kind: "missing", ranges: Array(1001).fill([1, 1]), reason: "size limit" }],
])("a message with %s is refused at the door", (_, message) => {
  expect(() => decodeFrame(edgeMessage, encodeFrame(message))).toThrow(/a frame: /);
});
