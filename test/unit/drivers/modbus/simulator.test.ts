import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { openSimulator } from "#drivers/modbus/simulator";
import { answer, blankUnit } from "#drivers/modbus/unit";

const local = { host: "127.0.0.1", port: 0 };

describe("a simulated unit", () => {
  const device = () => {
    const unit = blankUnit({ coil: 10, discrete: 10, input: 10, holding: 10 });
    unit.coil.set([1, 0, 1, 1, 0, 0, 0, 0, 1, 1]);
    unit.discrete.set([0, 1], 8);
    unit.input.set([0x1234], 9);
    unit.holding.set([0x0012, 0xffff], 4);
    return { ...unit, holes: { holding: new Set([7]) }, identity: { vendor: "S", product: "Boiler", revision: "1" } };
  };

  test.each([
    ["reads coils, the first in the lowest bit", "010000000a", "01020d03"],
    ["reads discrete inputs", "0200080002", "020102"],
    ["reads holding registers", "0300040002", "03040012ffff"],
    ["reads input registers", "0400090001", "04021234"],
    ["writes a coil", "050001ff00", "050001ff00"],
    ["writes a register", "060003abcd", "060003abcd"],
    ["writes coils", "0f000100030105", "0f00010003"],
    ["writes registers", "10000100020400010002", "1000010002"],
    ["writes some bits of a register", "16000400f20025", "16000400f20025"],
    ["writes registers, then reads", "170004000200050001020007", "170400120007"],
    ["tells who it is", "2b0e0100", "2b0e01010000030001530106426f696c6572020131"],
    ["refuses what lies beyond a table", "03000a0001", "8302"],
    ["refuses what begins inside and ends beyond a table", "0300090002", "8302"],
    ["refuses what crosses a hole", "0300060003", "8302"],
    ["refuses to read nothing", "0300000000", "8303"],
    ["refuses to read 126 registers", "030000007e", "8303"],
    ["refuses to read 2001 coils", "01000007d1", "8103"],
    ["refuses a coil that is neither on nor off", "0500010001", "8503"],
    ["refuses registers whose byte count lies", "10000100020300010002", "9003"],
    ["refuses coils whose byte count lies", "0f000100030205", "8f03"],
    ["refuses a function that it does not know", "6300000001", "e301"],
    ["refuses a request that stops too early", "030000", "8303"],
    ["refuses a request with bytes to spare", "050001ff0000", "8503"],
    ["refuses a mask without its second half", "16000400f2", "9603"],
    ["refuses to write and read at once what stops too early", "1700040002", "9703"],
  ])("%s", (_, request, expected) => {
    expect(Buffer.from(answer(device(), Buffer.from(request, "hex"))).toString("hex")).toBe(expected);
  });

  test("masks a register as the standard says", () => {
    const unit = device();
    answer(unit, Buffer.from("16000400f20025", "hex"));
    // The example of the standard: 0x12 with and mask 0xf2 and or mask 0x25 gives 0x17.
    expect(unit.holding[4]).toBe(0x17);
  });

  test("never throws, whatever it is sent", () => {
    let seed = 1;
    for (let round = 0; round < 5000; round++) {
      const bytes = Array.from({ length: 1 + (round % 14) }, () => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return seed >>> 24;
      });
      if (round % 2) bytes[0] = (bytes[0] ?? 0) % 24;
      expect(answer(device(), Buffer.from(bytes)).length).toBeGreaterThan(1);
    }
  });
});

describe("the simulator", () => {
  test("answers many requests of one chunk in order, however the bytes are cut", async () => {
    const unit = blankUnit({ holding: 4 });
    unit.holding.set([1, 2, 3, 4]);
    await using simulator = await openSimulator({ ...local, units: new Map([[1, unit]]) });
    const requests = [0, 1, 2, 3].map((register) => `000${register}000000060103000${register}0001`);
    const bytes = Buffer.from(requests.join(""), "hex");
    for (const cut of [bytes.length, 5, 13, 30]) {
      const answered = await converse(simulator.port, [bytes.subarray(0, cut), bytes.subarray(cut)], 4 * 11);
      const words = [0, 1, 2, 3].map((i) => answered.readUInt16BE(i * 11 + 9));
      expect([words, answered.readUInt16BE(33)]).toEqual([[1, 2, 3, 4], 3]);
    }
    expect(simulator.answered).toBe(16);
  });

  test("is silent for an unknown unit, as a line is, and goes on with the next", async () => {
    await using simulator = await openSimulator({ ...local, units: new Map([[1, blankUnit({ holding: 1 })]]) });
    const answered = await converse(simulator.port, ["000100000006090300000001", "000200000006010300000001"], 11);
    expect(answered.readUInt16BE(0)).toBe(2);
  });

  test("answers exception 11 for an unknown unit when it is a gateway", async () => {
    await using simulator = await openSimulator({ ...local, units: new Map(), gateway: true });
    const answered = await converse(simulator.port, ["000100000006090300000001"], 9);
    expect(answered.toString("hex")).toBe("00010000000309830b");
  });

  test("closes on bytes that are no Modbus, and serves the others", async () => {
    await using simulator = await openSimulator({ ...local, units: new Map([[1, blankUnit({ holding: 1 })]]) });
    const socket = connect(simulator.port, simulator.host);
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await once(socket, "close");
    expect(await converse(simulator.port, ["000200000006010300000001"], 11)).toHaveLength(11);
  });

  test("gives its units the time before they are read", async () => {
    const unit = blankUnit({ input: 1 });
    const clock = { ...unit, step: (nowMs: number) => unit.input.set([nowMs]) };
    await using simulator = await openSimulator({ ...local, units: new Map([[1, clock]]), now: () => 1234 });
    const answered = await converse(simulator.port, ["000100000006010400000001"], 11);
    expect(answered.readUInt16BE(9)).toBe(1234);
  });

  test("can be closed twice, and ends its connections", async () => {
    const simulator = await openSimulator({ ...local, units: new Map() });
    const socket = connect(simulator.port, simulator.host);
    await once(socket, "connect");
    const closed = once(socket, "close");
    socket.resume();
    await simulator[Symbol.asyncDispose]();
    await simulator[Symbol.asyncDispose]();
    await closed;
  });
});

/** Sends the pieces one after the other and returns what came back, once it is that long. */
async function converse(port: number, pieces: readonly (string | Uint8Array)[], length: number): Promise<Buffer> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  for (const piece of pieces) {
    await new Promise((resolve) =>
      socket.write(typeof piece === "string" ? Buffer.from(piece, "hex") : piece, resolve),
    );
    // Lets the simulator, in this same process, take the piece before the next one is there.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  let came = Buffer.alloc(0);
  for await (const chunk of socket) {
    came = Buffer.concat([came, chunk]);
    if (came.length >= length) break;
  }
  return came;
}
