import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openFramer } from "#drivers/serial/framing";
import { type Framing, framing } from "#drivers/serial/schema/framing";

/** Framings of every kind, and the characters that matter to them. */
const kinds: Readonly<Record<string, readonly [Framing, string]>> = {
  "lines by CR LF": [framing.parse({ by: "delimiter", longest: 6 }), "ab\r\n"],
  "lines by LF": [framing.parse({ by: "delimiter", delimiter: "\\n", longest: 4 }), "ab\n"],
  "lines by a delimiter that repeats itself": [
    framing.parse({ by: "delimiter", delimiter: "abab", longest: 9 }),
    "abc",
  ],
  "a fixed length": [framing.parse({ by: "fixed", length: 3 }), "abc"],
  "a fixed length with a start": [framing.parse({ by: "fixed", length: 4, start: "ab" }), "abc"],
  "a length field": [framing.parse({ by: "length", field: 1, adjust: 2, longest: 6 }), "a\x00\x01\x02\x03\x09"],
  "a length field with a start": [
    framing.parse({ by: "length", start: "a", field: 1, width: 2, order: "little", adjust: 3, longest: 8 }),
    "ab\x00\x01\x02",
  ],
  "a start longer than what is before the field": [
    framing.parse({ by: "length", start: "ab\\x01", field: 2, adjust: 3, longest: 8 }),
    "ab\x00\x01\x02",
  ],
  silence: [framing.parse({ by: "silence", longest: 7 }), "ab"],
  "STX and ETX": [framing.parse({ by: "marks", longest: 8 }), "ab\x02\x03"],
  "STX and ETX with an escape and a byte after": [
    framing.parse({ by: "marks", escape: "\\x10", after: 1, longest: 9 }),
    "a\x02\x03\x10",
  ],
  "marks of two bytes": [framing.parse({ by: "marks", start: "<<", end: ">>", longest: 10 }), "a<>"],
  "marks of two and one bytes": [framing.parse({ by: "marks", start: "ab", end: "c", longest: 7 }), "abcd"],
};

/** All frames of chunks, between which nothing else happens; the silence at the end counts. */
function framesOf(framing: Framing, chunks: readonly string[]) {
  const frames: string[] = [];
  const framer = openFramer(framing, (frame) => frames.push(frame.toString("latin1")));
  for (const chunk of chunks) framer.push(Buffer.from(chunk, "latin1"));
  framer.rest();
  return { frames, stray: framer.stray };
}

function split(text: string, cuts: readonly number[]): readonly string[] {
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  return places.slice(1).map((to, i) => text.slice(places[i], to));
}

for (const [kind, [framing, alphabet]] of Object.entries(kinds)) {
  const stream = fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 60 });

  describe(`frames by ${kind}`, () => {
    test("are the same however the stream is split", () => {
      fc.assert(
        fc.property(stream, fc.array(fc.nat(100), { maxLength: 12 }), (text, cuts) => {
          const whole = framesOf(framing, [text]);
          expect(framesOf(framing, split(text, cuts))).toEqual(whole);
          expect(framesOf(framing, [...text])).toEqual(whole);
        }),
        { numRuns: 300 },
      );
    });

    test("are parts of the stream, in its order and no longer than allowed", () => {
      fc.assert(
        fc.property(stream, (text) => {
          let from = 0;
          for (const frame of framesOf(framing, [text]).frames) {
            const at = text.indexOf(frame, from);
            expect(at).toBeGreaterThanOrEqual(from);
            expect(frame.length).toBeLessThanOrEqual("longest" in framing ? framing.longest : framing.length);
            from = at + frame.length;
          }
        }),
      );
    });
  });
}

describe("a framer", () => {
  const cases: readonly (readonly [string, object, string, readonly string[]])[] = [
    ["takes lines apart", { by: "delimiter" }, "one\r\n\r\ntwo\r\nthr", ["one", "", "two"]],
    [
      "drops a line that is too long, and takes the next",
      { by: "delimiter", longest: 3 },
      "abcdefgh\r\nabc\r\n",
      ["abc"],
    ],
    [
      "finds a frame of fixed length behind noise",
      { by: "fixed", length: 3, start: "$" },
      "xx$ab$cdy$",
      ["$ab", "$cd"],
    ],
    [
      "finds a frame by its length behind noise and a wrong length",
      { by: "length", start: "\\xa5", field: 1, longest: 9 },
      "x\xa5\xffyy\xa5\x03a\xa5\x02",
      ["\xa5\x03a", "\xa5\x02"],
    ],
    [
      "reads a length of two bytes, low byte first",
      { by: "length", field: 0, width: 2, order: "little" },
      "\x03\x00a",
      ["\x03\x00a"],
    ],
    [
      "takes what stands between marks",
      { by: "marks", after: 1 },
      "id\x02ab\x03Cx\x02\x03D",
      ["\x02ab\x03C", "\x02\x03D"],
    ],
    ["begins anew at a start within a frame", { by: "marks" }, "\x02half\x02whole\x03", ["\x02whole\x03"]],
    [
      "leaves an escaped mark in the frame",
      { by: "marks", escape: "\\x10" },
      "\x02a\x10\x03b\x03",
      ["\x02a\x10\x03b\x03"],
    ],
    [
      "takes a byte after the end that looks like a mark",
      { by: "marks", after: 1 },
      "\x02a\x03\x02\x02b\x03\x03",
      ["\x02a\x03\x02", "\x02b\x03\x03"],
    ],
  ];

  test.each(cases)("%s", (_, written, text, frames) => {
    expect(framesOf(framing.parse(written), [text]).frames).toEqual(frames);
    expect(framesOf(framing.parse(written), [...text]).frames).toEqual(frames);
  });

  test("without a mark to look for waits for silence after a wrong length", () => {
    const frames: string[] = [];
    const parsed = framing.parse({ by: "length", field: 0, longest: 5 });
    const framer = openFramer(parsed, (frame) => frames.push(frame.toString("latin1")));
    framer.push(Buffer.from("\x02a\xff\x02b\x02c", "latin1"));
    framer.rest();
    framer.push(Buffer.from("\x02d", "latin1"));
    expect(frames).toEqual(["\x02a", "\x02d"]);
  });

  test("drops half a frame at silence, so that the next is not joined to it", () => {
    const frames: string[] = [];
    const framer = openFramer(framing.parse({ by: "fixed", length: 4 }), (frame) =>
      frames.push(frame.toString("latin1")),
    );
    framer.push(Buffer.from("ab"));
    framer.rest();
    framer.push(Buffer.from("cdef"));
    expect(frames).toEqual(["cdef"]);
  });

  test("keeps no more than the longest frame of an endless stream", () => {
    for (const written of [{ by: "delimiter" }, { by: "marks" }, { by: "silence" }]) {
      const framer = openFramer(framing.parse({ ...written, longest: 1_000 }), () => {});
      for (let i = 0; i < 200; i++) framer.push(Buffer.alloc(10_000, "\x02a"));
      const before = process.memoryUsage().arrayBuffers;
      for (let i = 0; i < 200; i++) framer.push(Buffer.alloc(10_000, "a"));
      framer.rest();
      expect(framer.stray).toBe(4_000_000);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    }
  });
});
