import { describe, expect, test } from "@jest/globals";
import type { Channel } from "#drivers/modbus/channel";
import { overLine } from "#drivers/modbus/line";
import { rtu } from "#drivers/modbus/rtu";
import { answer, blankUnit } from "#drivers/modbus/unit";

const forever = new AbortController().signal;
const read = () => Uint8Array.of(3, 0, 0, 0, 1);

describe("a line", () => {
  test("asks without a fence as long as all goes well, even if it crackles in between", async () => {
    const { line, sent, hear } = lineTo();
    for (let i = 0; i < 3; i++) {
      await line.request(1, read(), forever);
      hear(Buffer.of(0, 0xff));
    }
    expect(sent).toEqual(["03", "03", "03"]);
  });

  test("puts a fence before the next request to a unit that was silent, and none before the others", async () => {
    const device = lineTo();
    device.isDeaf = true;
    const stop = new AbortController();
    const silent = device.line.request(1, read(), stop.signal);
    await device.written();
    stop.abort(new Error("enough"));
    await expect(silent).rejects.toThrow("enough");
    device.isDeaf = false;
    await device.line.request(2, read(), forever);
    await device.line.request(1, read(), forever);
    await device.line.request(1, read(), forever);
    expect(device.sent).toEqual(["03", "03", "08", "03", "03"]);
  });

  test("drops the late answer of another unit while it waits", async () => {
    const device = lineTo();
    device.isDeaf = true;
    const stop = new AbortController();
    const silent = device.line.request(1, read(), stop.signal);
    await device.written();
    stop.abort(new Error("enough"));
    await expect(silent).rejects.toThrow("enough");
    const waiting = device.line.request(2, read(), forever);
    await device.written();
    device.hear(rtu.encode(1, Uint8Array.of(3, 2, 0x11, 0x11)));
    device.hear(rtu.encode(2, Uint8Array.of(3, 2, 0x22, 0x22)));
    expect([...(await waiting)]).toEqual([3, 2, 0x22, 0x22]);
  });

  test("does not put a fence before a repetition, to which the late answer is as good", async () => {
    const device = lineTo();
    device.isDeaf = true;
    const stop = new AbortController();
    const pdu = read();
    const first = device.line.request(1, pdu, stop.signal);
    await device.written();
    stop.abort(new Error("again"));
    await expect(first).rejects.toThrow("again");
    device.isDeaf = false;
    await device.line.request(1, pdu, forever);
    expect(device.sent).toEqual(["03", "03"]);
  });

  test("keeps its silence between an answer and the next request", async () => {
    let nowMs = 0;
    const { line, sent } = lineTo({ quietMs: 5, monotonic: () => nowMs });
    await line.request(1, read(), forever);
    const stop = new AbortController();
    const tooEarly = line.request(1, read(), stop.signal);
    stop.abort(new Error("enough"));
    await expect(tooEarly).rejects.toThrow("enough");
    expect(sent).toEqual(["03"]);
    nowMs = 5;
    await line.request(1, read(), forever);
    expect(sent).toEqual(["03", "03"]);
  });
});

/** A line to units 1 and 2 that answer at once; notes the functions that are asked. */
function lineTo(options: { readonly quietMs?: number; readonly monotonic?: () => number } = {}) {
  const unit = blankUnit({ holding: 4 });
  const sent: string[] = [];
  let take: ((chunk: Buffer) => void) | undefined;
  let wrote = Promise.withResolvers<void>();
  const device = {
    sent,
    isDeaf: false,
    hear: (chunk: Buffer) => take?.(chunk),
    /** Resolves when the next request is out. */
    async written() {
      await wrote.promise;
      wrote = Promise.withResolvers();
    },
  };
  const channel: Channel = {
    unsent: 0,
    write(bytes) {
      const frame = Buffer.from(bytes);
      const pdu = frame.subarray(1, -2);
      sent.push(pdu.subarray(0, 1).toString("hex"));
      wrote.resolve();
      if (!device.isDeaf) queueMicrotask(() => take?.(rtu.encode(frame[0] ?? 0, answer(unit, pdu))));
    },
    onData(listener) {
      take = listener;
    },
    onLost() {},
    async [Symbol.asyncDispose]() {},
  };
  const line = overLine(channel, rtu, { name: "line", quietMs: 0, turnaroundMs: 0, ...options });
  return Object.assign(device, { line });
}
