import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { checksums } from "#drivers/serial/checksum";
import { checksum } from "#drivers/serial/schema/framing";
import { check, place, sumOf } from "#drivers/serial/sum";

/** The check values of the catalogue: over the digits 1 to 9. */
const known = {
  sum8: 0xdd,
  sum16: 0x01dd,
  xor: 0x31,
  lrc: 0x23,
  crc8: 0xf4,
  "crc8-maxim": 0xa1,
  "crc16-modbus": 0x4b37,
  "crc16-arc": 0xbb3d,
  "crc16-ccitt": 0x29b1,
  "crc16-xmodem": 0x31c3,
  "crc16-kermit": 0x2189,
  "crc16-x25": 0x906e,
  crc32: 0xcbf43926,
};

describe("a checksum", () => {
  test("has the check value of its name", () => {
    const digits = Buffer.from("x123456789x");
    const found = Object.fromEntries(Object.entries(checksums).map(([name, { of }]) => [name, of(digits, 1, 10)]));
    expect(found).toEqual(known);
  });

  test("that a template places is right in the frame, whatever its kind, form, order and place", () => {
    const rules = fc.record({
      name: fc.constantFrom(...Object.keys(known)),
      form: fc.constantFrom("binary", "hex"),
      order: fc.constantFrom("big", "little"),
      skip: fc.nat(3),
      tail: fc.nat(2),
      mark: fc.constantFrom("*", undefined),
    });
    fc.assert(
      fc.property(rules, fc.uint8Array({ minLength: 4, maxLength: 30 }), fc.nat(), (written, bytes, which) => {
        fc.pre(written.mark === undefined || written.form === "hex");
        const sum = sumOf(checksum.parse(written));
        const sent = Buffer.concat([bytes, sum.mark]);
        const frame = Buffer.concat([sent, place(sum, sent), Buffer.alloc(written.tail)]);
        expect(check(sum, frame)).toBe(bytes.length);
        // One covered bit turned: no sum, XOR or CRC misses that.
        const covered = written.skip + (which % (bytes.length - written.skip));
        frame[covered] = (frame[covered] ?? 0) ^ (1 << (which % 8));
        expect(check(sum, frame)).toBe(-1);
      }),
    );
  });

  test("is missing in a frame that is too short for it", () => {
    for (const written of [
      { name: "crc32" },
      { name: "xor", form: "hex", mark: "*", skip: 1 },
      { name: "xor", skip: 2 },
    ]) {
      const sum = sumOf(checksum.parse(written));
      for (const text of ["", "a", "*", "*4", "$*", "$a*4", "$a*4G"]) expect(check(sum, Buffer.from(text))).toBe(-1);
    }
  });

  test("stands behind the last mark, and in digits of either case", () => {
    const sum = sumOf(checksum.parse({ name: "xor", form: "hex", mark: "*", skip: 1 }));
    expect(check(sum, Buffer.from("$a*b*29"))).toBe(4);
    expect(check(sum, Buffer.from("$jo*05"))).toBe(3);
    expect(check(sum, Buffer.from("$j\xc0*aa", "latin1"))).toBe(3);
    expect(check(sum, Buffer.from("$j\xc0*AA", "latin1"))).toBe(3);
    expect(check(sum, Buffer.from("$jo*055"))).toBe(-1);
  });
});
