import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { decodeFrame, encodeFrame, FRAME_LIMIT_BYTES } from "#wire/frame";
import { edgeMessage, type Row } from "#wire/messages";
import { type Layout, layoutOf } from "#wire/pack";
import { mostBytes, packGrants, packMissing, packReport, packRows } from "#wire/packer";
import { answering } from "../../rigs/fake-edge.ts";

/** So small that few rows fit; what a message takes beside its lists comes on top. */
const LIMIT = 600;
const ENVELOPE = 200;

const layouts = [["t"], ["t", "p"], Array.from({ length: 40 }, (_, i) => `property-${i}`)].map(layoutOf);
const row = fc.record({
  device: fc.string({ unit: "binary", maxLength: 20 }),
  namespace: fc.string({ maxLength: 20 }),
  kind: fc.constantFrom("telemetry" as const, "event" as const, "gap" as const),
  at: fc.integer({ min: 0, max: 8.64e15 }),
  body: fc.string({ unit: "binary", maxLength: 120 }),
  layout: fc.option(fc.constantFrom(...layouts.map(({ id }) => id)), { nil: undefined }),
});
const numbered = fc
  .array(row, { maxLength: 60 })
  .map((rows) =>
    rows.map(({ layout, ...rest }, seq): Row => ({ seq, ...rest, ...(layout === undefined ? {} : { layout }) })),
  );

/** Layouts as a connection tells them: each once. */
function once(): (id: string) => Layout | undefined {
  const told = new Set<string>();
  return (id) => {
    if (told.has(id)) return undefined;
    told.add(id);
    return layouts.find((it) => it.id === id);
  };
}

test("no value takes more bytes than is thought, and few take much less", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => encodeFrame([value]).length <= mostBytes([value])));
  const typical = { seq: 1_234, device: "boiler-1", namespace: "default", kind: "telemetry", body: "[1,[21.5]]" };
  expect(mostBytes(typical)).toBeLessThan(3 * encodeFrame(typical).length);
});

describe("rows", () => {
  test("go in order, whole, in frames that fit, each layout before or with the first row that uses it", () => {
    fc.assert(
      fc.property(numbered, (rows) => {
        const known = new Set<string>();
        const sent: Row[] = [];
        for (const message of packRows(rows, once(), LIMIT)) {
          const frame = encodeFrame(message);
          const heard = decodeFrame(edgeMessage, frame);
          if (heard.kind !== "rows") throw new Error(heard.kind);
          // One row must be sent whatever it takes; with its layout it is the only one that may be over.
          if (heard.rows.length > 1) expect(frame.length).toBeLessThanOrEqual(LIMIT + ENVELOPE);
          for (const { id } of heard.layouts ?? []) {
            expect(known.has(id)).toBe(false);
            known.add(id);
          }
          for (const { layout } of heard.rows) if (layout !== undefined) expect(known.has(layout)).toBe(true);
          sent.push(...heard.rows);
        }
        expect(sent).toEqual(rows);
      }),
    );
  });

  test("of the largest size with the largest layouts fit", () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `${i}`.padStart(63, "p"));
    const rows = Array.from({ length: 20 }, (_, seq) => {
      const { id } = layoutOf([...names.slice(seq), ...names.slice(0, seq)]);
      const it = { seq, device: "d".repeat(63), namespace: "n".repeat(63), kind: "telemetry" as const, at: 1 };
      return { ...it, body: "x".repeat(FRAME_LIMIT_BYTES / 4), layout: id };
    });
    const all = new Map(
      rows.map(({ layout, seq }) => [layout, { id: layout, names: [...names.slice(seq), ...names.slice(0, seq)] }]),
    );
    const messages = [...packRows(rows, (id) => all.get(id))];
    expect(messages.flatMap(({ rows }) => rows.map(({ seq }) => seq))).toEqual(rows.map(({ seq }) => seq));
    for (const message of messages) expect(encodeFrame(message).length).toBeLessThanOrEqual(FRAME_LIMIT_BYTES);
  });

  test("are at most a thousand in a message", () => {
    const rows = Array.from({ length: 2_500 }, (_, seq) => ({
      ...{ seq, device: "b", namespace: "n", kind: "event" as const, at: 1, body: "{}" },
    }));
    expect([...packRows(rows, once())].map(({ rows }) => rows.length)).toEqual([1_000, 1_000, 500]);
  });
});

test("grants go in order, in frames that fit", () => {
  const grant = fc.record({ namespace: fc.string(), device: fc.string(), grant: fc.string({ maxLength: 64 }) });
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 60 }), (grants) => {
      const messages = [...packGrants(grants, LIMIT)];
      expect(messages.flatMap(({ grants }) => grants)).toEqual(grants);
      for (const message of messages)
        if (message.grants.length > 1) expect(encodeFrame(message).length).toBeLessThanOrEqual(LIMIT + ENVELOPE);
    }),
  );
});

test("what a limit dropped is told in one frame, of as many devices as fit", () => {
  const lost = Array.from({ length: 10_000 }, (_, i) => ({
    ...{ namespace: "n".repeat(63), device: `${i}`.padStart(63, "d"), from: 1, to: 8.64e15, count: i },
  }));
  const all = packMissing({ range: [1, 2], reason: "size limit", lost });
  expect(encodeFrame(all).length).toBeLessThanOrEqual(FRAME_LIMIT_BYTES);
  expect(all.lost).toHaveLength(10_000);
  const some = packMissing({ range: [1, 2], reason: "size limit", lost }, 100_000);
  expect(encodeFrame(some).length).toBeLessThanOrEqual(100_000 + ENVELOPE);
  expect(some.lost).toEqual(lost.slice(0, some.lost?.length));
});

describe("a report", () => {
  const at = 1_700_000_000_000;

  test("that fits is left as it is", () => {
    const report = answering({ uid: "u", name: "b" });
    expect(packReport(report)).toEqual({ kind: "report", report });
  });

  test("loses its largest values until it fits, says so, and keeps the small ones", () => {
    const properties = [
      { name: "image", reported: "x".repeat(3_000_000), at, quality: "good" as const },
      { name: "log", reported: ["y".repeat(1_500_000)], desired: "z".repeat(1_000_000), at },
      { name: "t", reported: 21.5, at, quality: "good" as const },
    ];
    const { report } = packReport(answering({ uid: "u", name: "b" }, { properties }));
    expect(report.properties).toEqual([
      { name: "image", reason: "too large to report", at, quality: "good" },
      { name: "log", reason: "too large to report", desired: "z".repeat(1_000_000), at },
      { name: "t", reported: 21.5, at, quality: "good" },
    ]);
  });

  test("of any device fits, with all its properties", () => {
    const property = fc.record({
      name: fc.string({ maxLength: 63 }),
      reported: fc.option(fc.jsonValue(), { nil: undefined }),
      desired: fc.option(fc.string({ maxLength: 5_000 }), { nil: undefined }),
      reason: fc.option(fc.string({ maxLength: 500 }), { nil: undefined }),
      refusal: fc.option(fc.string({ maxLength: 500 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(property, { maxLength: 30 }), (properties) => {
        const report = answering({ uid: "u", name: "b" }, JSON.parse(JSON.stringify({ properties })));
        const limit = 6_000;
        const packed = packReport(report, limit);
        expect(encodeFrame(packed).length).toBeLessThanOrEqual(limit + ENVELOPE);
        expect(packed.report.properties.map(({ name }) => name)).toEqual(properties.map(({ name }) => name));
        expect(decodeFrame(edgeMessage, encodeFrame(packed))).toEqual(packed);
      }),
    );
  });

  test("of the largest device with the longest reasons fits", () => {
    const properties = Array.from({ length: 10_000 }, (_, i) => ({
      ...{
        name: `${i}`.padStart(63, "p"),
        reported: i,
        at,
        quality: "bad" as const,
        desired: i,
        version: 9,
        until: at,
      },
      ...{ by: "site" as const, state: "refused" as const, reason: "r".repeat(300), refusal: "f".repeat(300) },
    }));
    const packed = packReport(answering({ uid: "u", name: "b" }, { properties }));
    expect(encodeFrame(packed).length).toBeLessThanOrEqual(FRAME_LIMIT_BYTES);
    expect(packed.report.properties).toHaveLength(10_000);
  });
});
