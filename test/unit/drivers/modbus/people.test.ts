import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Exchange } from "#devices/driver";
import { formatExchange, parseExchanges } from "#devices/recording";
import { explain } from "#drivers/modbus/explain";
import { modbus } from "#drivers/modbus/index";
import { link } from "#drivers/modbus/link";
import { decodings, matches, probeLink } from "#drivers/modbus/probe";
import { encode, type Format } from "#drivers/modbus/registers";
import { replay } from "#drivers/modbus/replay";
import { address, station } from "#drivers/modbus/schema";
import { openSimulator } from "#drivers/modbus/simulator";
import { tell } from "#drivers/modbus/tell";
import { blankUnit } from "#drivers/modbus/unit";
import { problems, tell as tellProblem } from "#std/schema";

const forever = new AbortController().signal;
const point = (property: string, where: unknown) => ({ property, address: address.parse(where) });

describe("an explained plan", () => {
  const points = [
    point("a", { table: "holding", register: 0, type: "float32" }),
    point("b", { table: "holding", register: 4 }),
    point("c", { table: "coil", register: 100 }),
  ];

  test("shows requests, waste, and the time on a serial line", () => {
    const serial = link.parse({ transport: "rtu", path: "/dev/ttyS0", baudRate: 9600, parity: "even" });
    const plan = explain(points, station.parse({ unit: 3 }), serial);
    expect(plan.requests).toEqual([
      expect.objectContaining({ unit: 3, fc: 1, table: "coil", start: 100, count: 1, properties: ["c"], wasted: 0 }),
      expect.objectContaining({ unit: 3, fc: 3, start: 0, count: 5, properties: ["a", "b"], wasted: 2, bytes: 23 }),
    ]);
    expect([plan.asked, plan.wasted]).toEqual([6, 2]);
    // 23 bytes of 11 bits at 9600 baud are 26.4 ms, two silences 8 ms, the device 10 ms.
    expect(plan.requests[1]?.ms).toBeCloseTo(26.35 + 8.02 + 10, 1);
    expect(plan.cycleMs).toBeCloseTo((plan.requests[0]?.ms ?? 0) + (plan.requests[1]?.ms ?? 0));
  });

  test("does not pretend to know how fast a network is, until it was measured", () => {
    const tcp = link.parse({ host: "plc" });
    expect(explain(points, station.parse({}), tcp).cycleMs).toBeUndefined();
    expect(explain(points, station.parse({}), tcp, { roundTripMs: 4 }).cycleMs).toBe(8);
  });

  test("warns of a visit that takes longer than the link allows", () => {
    const slow = link.parse({ transport: "rtu", path: "/dev/ttyS0", baudRate: 1200 });
    const many = Array.from({ length: 200 }, (_, register) => point(`p${register}`, { table: "holding", register }));
    expect(explain(many, station.parse({}), slow).warning).toMatch("ms, the link's timeout is 1000 ms");
    expect(explain(points, station.parse({}), slow).warning).toBeUndefined();
    expect(explain(many, station.parse({ timeout: "1500ms" }), slow).warning).toMatch(
      "the device's timeout is 1500 ms",
    );
    expect(explain(many, station.parse({ timeout: "1m" }), slow).warning).toBeUndefined();
  });

  test("keeps to what the device has taught", () => {
    const lessons = [{ kind: "hole", table: "holding", start: 2, count: 2, until: 1 }] as const;
    expect(explain(points, station.parse({}), link.parse({ host: "plc" }), { lessons }).wasted).toBe(0);
  });
});

describe("a probe", () => {
  const orders = ["big", "little"].flatMap((words) => ["big", "little"].map((bytes) => ({ words, bytes })));

  test.each(["float32", "int16", "uint32", "float64", "int64", "bcd16", "bcd32"] as const)(
    "finds a number that lies as %s, in every order and scale",
    (type) => {
      for (const order of orders) {
        for (const scale of [1, 0.1, 0.01]) {
          const format = { type, ...order } as Format;
          const expect21 = scale === 1 && !type.startsWith("float") ? 215 : 21.5;
          const words = encode(Math.round((expect21 / scale) * 10) / 10, format);
          const found = matches(decodings(words, "holding", 40), expect21);
          const same = found.find((match) => match.format.type === type && match.scale === scale);
          expect(same).toMatchObject({ register: 40, value: expect21 });
        }
      }
    },
  );

  test("names nothing that is off by more than half of the last digit", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(65535), { minLength: 1, maxLength: 8 }), (words) => {
        for (const { value } of matches(decodings(words, "input", 0), 21.5)) {
          expect(Math.abs(value - 21.5)).toBeLessThanOrEqual(0.0500001);
        }
      }),
    );
  });

  test("reads around what does not exist, and marks the likeliest first", async () => {
    const unit = { ...blankUnit({ input: 10 }), holes: { input: new Set([2]) } };
    unit.input.set([215, 7, 0, ...encode(21.502, { type: "float32", words: "little", bytes: "big" })]);
    const target = { host: "127.0.0.1", port: 0 };
    await using simulator = await openSimulator({ ...target, units: new Map([[1, unit]]) });
    const { host, port } = simulator;
    const range = { unit: 1, table: "input", start: 0, count: 5, expect: 21.5 } as const;
    const { rows, matches } = await probeLink({ host, port }, range, forever);
    expect(rows.map(({ hex }) => hex)).toEqual(["00d7", "0007", undefined, "0419", "41ac"]);
    expect(rows[2]?.error).toMatch("illegal data address");
    expect(matches.slice(0, 2)).toEqual([
      expect.objectContaining({ register: 3, scale: 1, format: { type: "float32", words: "little", bytes: "big" } }),
      expect.objectContaining({ register: 0, scale: 0.1, format: { type: "int16", words: "big", bytes: "big" } }),
    ]);
  });
});

describe("a recording", () => {
  const exchange: Exchange = { at: 1, ms: 2.5, request: bytes("0103000a0001"), answer: bytes("010302002a") };
  const silence: Exchange = { at: 2, ms: 1000, request: bytes("0203000a0001"), answer: undefined, error: "nothing" };

  test("comes back from its lines as it went", () => {
    const text = [exchange, silence].map(formatExchange).join("\n");
    expect(parseExchanges(`${text}\n\n`)).toEqual([exchange, silence].map((one) => expect.objectContaining(one)));
    expect(() => parseExchanges(`${text}\n{"at":"x"}`)).toThrow("line 3 of the recording");
  });

  test("answers as the device did, in turn, and is silent where it was", async () => {
    const second = { ...exchange, answer: bytes("010302002b") };
    const transport = replay([exchange, silence, second]);
    const ask = () => transport.request(1, bytes("03000a0001"), forever);
    const said = [await ask(), await ask(), await ask()].map((pdu) => pdu.at(-1));
    expect(said).toEqual([0x2a, 0x2b, 0x2a]);
    const stop = new AbortController();
    const silent = transport.request(2, bytes("03000a0001"), stop.signal);
    stop.abort(new Error("enough"));
    await expect(silent).rejects.toThrow("enough");
  });

  test("is played back by a link, and what was recorded from one is the same", async () => {
    const folder = mkdtempSync(join(tmpdir(), "skerry-replay-"));
    const unit = blankUnit({ holding: 20 });
    unit.holding[10] = 42;
    await using simulator = await openSimulator({ host: "127.0.0.1", port: 0, units: new Map([[1, unit]]) });
    const recorded: Exchange[] = [];
    const driver = modbus({ onExchange: (exchange) => void recorded.push(exchange) });
    const points = [point("p", { table: "holding", register: 10 })];
    const real = await driver.connect(link.parse({ host: simulator.host, port: simulator.port }), forever);
    const [first] = await real.read(station.parse({}), points, forever);
    expect(real.exchanges).toEqual(recorded);
    await real[Symbol.asyncDispose]();
    const file = join(folder, "plc.jsonl");
    writeFileSync(file, recorded.map(formatExchange).join("\n"));
    await using played = await driver.connect(link.parse({ transport: "replay", file }), forever);
    const [again] = await played.read(station.parse({}), points, forever);
    expect(again?.ok && again.raw).toBe(first?.ok && first.raw);
    rmSync(folder, { recursive: true });
  });
});

describe("an exchange in words", () => {
  test.each([
    [
      "0303000a0004",
      "030308000a0014001e0028",
      "unit 3: read holding 10 to 13 (function 3)",
      "4 registers: 000a 0014 001e 0028",
    ],
    ["01060002002a", "01060002002a", "unit 1: write holding 2 (function 6)", "done"],
    ["010400640001", "018402", "unit 1: read input 100 (function 4)", "illegal data address (exception 2)"],
    ["010400640001", "", "unit 1: read input 100 (function 4)", "took longer than 1000 ms"],
  ])("%s %s is %s: %s", (request, answer, asked, said) => {
    const error = "took longer than 1000 ms";
    const exchange = { at: 0, ms: 1, request: bytes(request), answer: answer ? bytes(answer) : undefined, error };
    expect(tell(exchange)).toEqual({ asked, said });
  });
});

describe("a Modbus link", () => {
  const told = (value: unknown) => problems(link, value).map(tellProblem);

  test("is of one kind, with the fields of that kind", () => {
    expect(told({ transport: "rtu", path: "/dev/ttyUSB0", host: "x" })).toEqual(["host: unknown field"]);
    expect(told({ transport: "tcp", host: "x", baudRate: 9600 })).toEqual(["baudRate: unknown field"]);
    expect(told({ transport: "pigeon" })).toHaveLength(1);
  });

  test("over a serial port needs the port, by path or by USB id", () => {
    expect(told({ transport: "rtu" })).toEqual(["path: give the port by path or by usb id"]);
    expect(told({ transport: "ascii", path: "/dev/ttyS0", usb: { vendor: "0403", product: "6001" } })).toHaveLength(1);
    expect(told({ transport: "rtu", usb: { vendor: "0403", product: "6001" }, quiet: "5ms" })).toEqual([]);
  });

  test("in TLS knows the device by an authority or a pin, and has a key for its certificate", () => {
    expect(told({ transport: "tls", host: "x", tls: {} })).toEqual([
      "tls.authorityFrom: give an authority or a pin to know the device by",
    ]);
    expect(told({ transport: "tls", host: "x", tls: { pin: "ab".repeat(32), keyFrom: { file: "k" } } })).toHaveLength(
      1,
    );
  });

  test("repeats on lines and in datagrams, not in streams", () => {
    const retries = (value: unknown) => link.parse(value).retries;
    expect(retries({ host: "x" })).toBe(0);
    expect(retries({ transport: "udp", host: "x" })).toBe(1);
    expect(retries({ transport: "rtu", path: "/dev/ttyS0" })).toBe(1);
  });
});

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}
