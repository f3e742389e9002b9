import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Point } from "#devices/driver";
import { type Limits, plan, type Span, sizeOf, split } from "#drivers/modbus/plan";
import { address, type ModbusAddress } from "#drivers/modbus/schema";

const bits = fc.record({ table: fc.constantFrom("coil", "discrete"), register: fc.nat(3000) });
const words = fc.record({
  table: fc.constantFrom("input", "holding"),
  register: fc.nat(400),
  type: fc.constantFrom("uint16", "int32", "float64", "bool"),
});
const texts = fc.record({
  table: fc.constant("holding"),
  register: fc.nat(400),
  type: fc.constant("string"),
  length: fc.integer({ min: 1, max: 60 }),
});
const devices = fc.array(fc.oneof(bits, words, texts), { maxLength: 80 }).map(points);
const limits = fc.record({ maxRegisters: fc.integer({ min: 1, max: 125 }), maxGap: fc.nat(20) });

describe("a plan", () => {
  test("covers every point exactly once, inside its span and table", () => {
    fc.assert(
      fc.property(devices, limits, (device, limits) => {
        const spans = plan(device, limits);
        expect(indices(spans).sort(ascending)).toEqual(device.map((_, i) => i));
        for (const { table, start, count, parts } of spans) {
          for (const { index, address, offset } of parts) {
            expect(address).toBe(device[index]?.address);
            expect(address.table).toBe(table);
            expect(address.register).toBe(start + offset / (isBits(table) ? 1 : 2));
            expect(address.register + sizeOf(address)).toBeLessThanOrEqual(start + count);
          }
        }
      }),
    );
  });

  test("asks for no more than the limits allow, except for one value that is wider", () => {
    fc.assert(
      fc.property(devices, limits, (device, limits) => {
        for (const { table, count, parts } of plan(device, limits)) {
          const widest = Math.max(...parts.map(({ address }) => sizeOf(address)));
          expect(count).toBeLessThanOrEqual(Math.max(most(table, limits), widest));
        }
      }),
    );
  });

  test("leaves no two spans that could have been one", () => {
    fc.assert(
      fc.property(devices, limits, (device, limits) => {
        const spans = plan(device, limits);
        for (const a of spans) for (const b of spans) expect(a !== b && fits(a, b, limits)).toBe(false);
      }),
    );
  });

  test("reads a small gap along and leaves a large one out", () => {
    const device = points([0, 5, 20].map((register) => ({ table: "holding", register })));
    expect(ranges(plan(device, { maxRegisters: 125, maxGap: 4 }))).toEqual(["holding 0+6", "holding 20+1"]);
    expect(ranges(plan(device, { maxRegisters: 125, maxGap: 3 }))).toEqual([
      "holding 0+1",
      "holding 5+1",
      "holding 20+1",
    ]);
  });

  test("reads 1000 registers in 8 requests and 2000 coils in one", () => {
    const all = { maxRegisters: 125, maxGap: 8 };
    const registers = points(Array.from({ length: 1000 }, (_, register) => ({ table: "input", register })));
    const coils = points(Array.from({ length: 2000 }, (_, register) => ({ table: "coil", register })));
    expect(plan(registers, all)).toHaveLength(8);
    expect(plan(coils, all)).toHaveLength(1);
  });
});

describe("a refused span", () => {
  test("is cut into smaller ones that cover the same points, down to single points", () => {
    fc.assert(
      fc.property(devices, limits, (device, limits) => {
        const todo = [...plan(device, limits)];
        const single: Span[] = [];
        for (let span = todo.pop(); span; span = todo.pop()) {
          if (span.parts.length === 1) {
            single.push(span);
            continue;
          }
          const pieces = split(span, limits);
          expect(pieces.length).toBeGreaterThan(1);
          expect(indices(pieces).sort(ascending)).toEqual(indices([span]).sort(ascending));
          todo.push(...pieces);
        }
        expect(single).toHaveLength(device.length);
      }),
    );
  });

  test("is cut along its gaps first", () => {
    const device = points([0, 1, 5, 6].map((register) => ({ table: "holding", register })));
    const limits = { maxRegisters: 125, maxGap: 8 };
    const [whole] = plan(device, limits);
    expect(whole && ranges(split(whole, limits))).toEqual(["holding 0+2", "holding 5+2"]);
  });
});

function points(addresses: readonly unknown[]): readonly Point<ModbusAddress>[] {
  return addresses.map((one, i) => ({ property: `p${i}`, address: address.parse(one) }));
}

function indices(spans: readonly Span[]): number[] {
  return spans.flatMap(({ parts }) => parts.map(({ index }) => index));
}

function ranges(spans: readonly Span[]): readonly string[] {
  return spans.map(({ table, start, count }) => `${table} ${start}+${count}`);
}

function isBits(table: string): boolean {
  return table === "coil" || table === "discrete";
}

function most(table: string, { maxRegisters }: Limits): number {
  return isBits(table) ? maxRegisters * 16 : maxRegisters;
}

function fits(a: Span, b: Span, limits: Limits): boolean {
  const gap = Math.max(a.start, b.start) - Math.min(a.start + a.count, b.start + b.count);
  const width = Math.max(a.start + a.count, b.start + b.count) - Math.min(a.start, b.start);
  const allowed = isBits(a.table) ? limits.maxGap * 16 : limits.maxGap;
  return a.table === b.table && gap <= allowed && width <= most(a.table, limits);
}

function ascending(a: number, b: number): number {
  return a - b;
}
