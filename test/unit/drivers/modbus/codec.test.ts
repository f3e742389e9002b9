import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ascii } from "#drivers/modbus/ascii";
import { crc16, lrc } from "#drivers/modbus/checksum";
import { rtu } from "#drivers/modbus/rtu";

describe("the checksums of a line", () => {
  test.each([
    ["010300000002", "c40b"],
    ["0207", "4112"],
    ["11030000000a", "c75d"],
  ])("CRC of %s is %s, low byte first", (bytes, crc) => {
    const value = crc16(Buffer.from(bytes, "hex"));
    expect(Buffer.of(value & 0xff, value >> 8).toString("hex")).toBe(crc);
  });

  test("LRC makes the sum of all bytes zero", () => {
    expect(lrc(Buffer.from("1103006b0003", "hex"))).toBe(0x7e);
    fc.assert(fc.property(fc.uint8Array(), (bytes) => expect(lrc(Uint8Array.of(...bytes, lrc(bytes)))).toBe(0)));
  });
});

describe.each([
  ["RTU", rtu, "11030000000ac75d"],
  ["ASCII", ascii, Buffer.from(":11030000000AE2\r\n").toString("hex")],
] as const)("a frame of %s", (_, codec, bytes) => {
  const request = Buffer.from("030000000a", "hex");

  test("is as the specification has it", () => {
    expect(codec.encode(0x11, request).toString("hex")).toBe(bytes);
  });

  test("is taken whole, wherever it is cut", () => {
    const frame = codec.encode(0x11, request);
    for (let i = 0; i < frame.length; i++) expect(codec.take(frame.subarray(0, i), "client").is).toBe("part");
    const taken = codec.take(Buffer.concat([frame, frame]), "client");
    expect(taken).toEqual({ is: "frame", unit: 0x11, pdu: request, length: frame.length });
  });

  test("is never taken when one bit of it flipped", () => {
    const frame = codec.encode(0x11, request);
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const broken = Buffer.from(frame);
      broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const taken = codec.take(broken, "client");
      // Hex digits in the other case are the same frame.
      if (taken.is === "frame") expect(taken).toMatchObject({ unit: 0x11, pdu: request });
    }
  });

  test("survives any bytes without a throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom("client", "server"), (noise, from) => {
        codec.take(Buffer.from(noise), from as "client");
      }),
    );
  });

  test.each(["0301000a".padEnd(6, "0"), "83020000", "2b0e01010000020003666f6f010162"])(
    "of an answer that begins with %s ends where it ends",
    (hex) => {
      const pdu = Buffer.from(hex, "hex");
      const length = pdu[0] === 3 ? 3 : pdu[0] === 0x83 ? 2 : pdu.length;
      const frame = codec.encode(7, pdu.subarray(0, length));
      expect(codec.take(frame, "server")).toMatchObject({ is: "frame", pdu: pdu.subarray(0, length) });
    },
  );
});
