import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { topic } from "#wire/topic";
import { topics } from "#wire/topics";

const bytes = (text: string) => new TextEncoder().encode(text);
const level = fc.string({ minLength: 1 }).filter((text) => !/[/+#\0]/.test(text));

test("a topic is found again by its names", () => {
  fc.assert(
    fc.property(level, level, (device, property) => {
      const at = topics.setResult.at({ device, property });
      expect(topics.setResult.match(at)).toEqual({ device, property });
      expect(topics.set.match(at)).toBeUndefined();
    }),
  );
});

test.each(["", "a/b", "+", "#", "a#", "a+b", "\0"])(
  "the name %j would change the shape of a topic and is refused",
  (device) => {
    expect(() => topics.status.at({ device })).toThrow(expect.objectContaining({ code: "TOPIC_INVALID" }));
  },
);

test("no topic is mistaken for another", () => {
  for (const one of Object.values(topics)) {
    const at = one.pattern.replace(/\{\w+\}/g, "x");
    const found = Object.values(topics).filter((other) => other.match(at) !== undefined);
    expect(found.map(({ pattern }) => pattern)).toEqual([one.pattern]);
  }
});

test("a filter matches every instance", () => {
  expect(topics.reported.filter).toBe("devices/+/reported/+");
  expect(topics.nodeUplink.filter).toBe("node/uplink");
});

test("what shows a state is retained, what is an event is not", () => {
  const retained = Object.entries(topics).filter(([, { retain }]) => retain);
  expect(retained.map(([name]) => name).sort()).toEqual(["desired", "nodeStatus", "nodeUplink", "reported", "status"]);
  for (const { summary } of Object.values(topics)) expect(summary).toMatch(/^[A-Z].*\.$/s);
});

describe("a body", () => {
  test("reads back what was encoded", () => {
    const body = { value: [1, { a: null }], id: "7" };
    expect(topics.set.decode(bytes(topics.set.encode(body)))).toEqual(body);
  });

  test.each([
    "",
    "{",
    "[]",
    "{}",
    "null",
    '{"value":1,"vlaue":2}',
    '{"value":1,"id":7}',
    '{"value":1,"forMs":0}',
    "\xff",
  ])("of a wish can not be %j", (text) => {
    expect(() => topics.set.decode(Buffer.from(text, "latin1"))).toThrow(
      expect.objectContaining({ code: "MESSAGE_INVALID", message: expect.stringContaining(topics.set.pattern) }),
    );
  });

  test("is what its schema says", () => {
    const { body } = topic({ pattern: "a/{b}", summary: "A test.", body: topics.status.body });
    expect(body.safeParse({ online: true, reason: "Answering" }).success).toBe(true);
    expect(body.safeParse({ online: "yes" }).success).toBe(false);
  });
});
