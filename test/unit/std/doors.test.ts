/** What foreign text and bytes come through: schemas, lengths of time, YAML, the log. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { duration } from "#std/duration";
import { Fault, faults } from "#std/fault";
import { openLog } from "#std/log";
import { parse, problems, tell, z } from "#std/schema";
import { parseYaml, printYaml } from "#std/yaml";

describe("a length of time", () => {
  test.each([
    ["250ms", 250],
    ["1s", 1000],
    ["1.5s", 1500],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["0ms", 0],
  ])("%s is %d ms", (text, ms) => {
    expect(duration().parse(text)).toBe(ms);
  });

  test.each([[1000], ["1000"], ["1 s"], ["-1s"], ["1w"], [""], ["1e3ms"], [".5s"], ["s"], [null]])(
    "%j is refused",
    (text) => {
      expect(problems(duration(), text)).toHaveLength(1);
    },
  );

  test("is within the limits that a timer can keep", () => {
    expect(problems(duration(10), "9ms")[0]?.message).toMatch("from 10 ms");
    expect(problems(duration(), "25d")[0]?.message).toMatch("24.8 days");
    expect(duration().parse("24d")).toBe(2_073_600_000);
  });
});

describe("parsing", () => {
  const schema = z.strictObject({
    port: z.number().int(),
    list: z.array(z.strictObject({ name: z.string() })).optional(),
  });

  test("names every wrong field with its path", () => {
    const wrong = { port: "x", list: [{ name: "a" }, { name: 1, nmae: "b" }], prot: 1 };
    const found = problems(schema, wrong);
    expect(found.map(({ path }) => path).sort()).toEqual(["list[1].name", "list[1].nmae", "port", "prot"]);
    expect(found.find(({ path }) => path === "prot")?.message).toBe("unknown field");
  });

  test("says what was parsed, and gives the problems to programs", () => {
    const wrong = () => parse(schema, { port: 1.5 }, "edge.yaml");
    expect(wrong).toThrow(expect.objectContaining({ code: "CONFIG_INVALID", name: "Fault" }));
    expect(wrong).toThrow(/^edge\.yaml: port: must be a whole number, not 1\.5$/);
    const fault = caught(() => parse(schema, 3, "a frame", "FRAME_INVALID"));
    expect(fault).toMatchObject({ code: "FRAME_INVALID", detail: { problems: [{ path: "" }] } });
  });
});

describe("a problem", () => {
  const user = z.union([
    z.strictObject({ name: z.string(), passwordFrom: z.string() }),
    z.strictObject({ certificateFrom: z.string(), keyFrom: z.string() }),
  ]);
  const link = z.discriminatedUnion("by", [
    z.strictObject({ by: z.literal("path"), path: z.string() }),
    z.strictObject({ by: z.literal("host") }),
  ]);

  test.each<[z.ZodType, unknown, readonly string[]]>([
    [z.strictObject({ host: z.string() }), {}, ["host: is missing: give a text"]],
    [z.strictObject({ unit: z.int() }), {}, ["unit: is missing: give a number"]],
    [z.strictObject({ mode: z.enum(["poll", "subscribe"]) }), {}, ["mode: is missing: give one of poll, subscribe"]],
    [z.strictObject({}), undefined, ["is missing: give fields"]],
    [z.enum(["poll", "subscribe"]), "pull", ["must be one of poll, subscribe, not pull"]],
    [z.string(), 7, ["must be a text: put it in quotes"]],
    [z.number(), "7", ["must be a number: take the quotes away"]],
    [z.number(), "seven", ["must be a number, not a text"]],
    [z.boolean(), "yes", ["must be true or false, not a text"]],
    [z.int(), 1.5, ["must be a whole number, not 1.5"]],
    [z.array(z.string()), { a: 1 }, ["must be a list, not fields"]],
    [z.int().max(247), 300, ["must be at most 247, not 300"]],
    [z.number().positive(), 0, ["must be more than 0, not 0"]],
    [z.string().min(1), "", ["must not be empty"]],
    [z.array(z.int()).min(2), [1], ["must have at least 2 items"]],
    [z.string().regex(/^a+$/), "b", ["does not match /^a+$/"]],
    [z.iso.datetime(), "today", ["must be a time such as 2026-01-31T12:00:00Z"]],
    [z.union([z.literal(7), z.literal(8)]), 9, ["must be 7 or 8"]],
    [z.union([z.string(), z.number()]), undefined, ["is missing: give a text or a number"]],
    [user, { name: "ann" }, ["passwordFrom: is missing: give a text"]],
    [user, { certificateFrom: "a", keyFrom: 1 }, ["keyFrom: must be a text: put it in quotes"]],
    [z.strictObject({ user }), { user: { keyFrom: "k" } }, ["user.certificateFrom: is missing: give a text"]],
    [link, {}, ["by: is missing: give one of path, host"]],
    [link, { by: "air" }, ["by: must be one of path, host, not air"]],
    [z.string({ error: "say who" }), 1, ["say who"]],
  ])("%# is told in words that lead on", (schema, value, expected) => {
    expect(problems(schema, value).map(tell)).toEqual(expected);
  });

  test("does not repeat what may be a secret", () => {
    const [problem] = problems(z.strictObject({ password: z.string() }), { password: 12345 });
    expect(problem?.message).not.toContain("12345");
  });
});

test("every fault says whether to try again and what to do", () => {
  for (const { hint } of Object.values(faults)) expect(hint).toMatch(/^[A-Z].*\S$/);
  const fault = new Fault("LINK_LOST", "no answer", { cause: new Error("reset"), host: "10.0.0.5" });
  expect([fault.retry, fault.detail]).toEqual([true, { host: "10.0.0.5" }]);
  expect(fault.cause).toMatchObject({ message: "reset" });
  expect([Fault.is(fault), Fault.is(fault, "DEVICE_TIMEOUT"), Fault.is(new Error("x"))]).toEqual([true, false, false]);
});

describe("YAML", () => {
  test.each(["a: [1, 2", "a:\n  b: 1\n c: 2", "a: 1\nb: 'x\n", "a: b: c"])(
    "%j is refused with line and column",
    (text) => {
      expect(() => parseYaml(text, "edge.yaml")).toThrow(/^edge\.yaml:\d+:\d+: /);
      expect(caught(() => parseYaml(text, "edge.yaml"))).toMatchObject({ code: "CONFIG_INVALID" });
    },
  );

  test("names line and column of the mistake itself", () => {
    expect(() => parseYaml("mqtt:\n  port: 1883\n  port: 1884\n", "edge.yaml")).toThrow(/^edge\.yaml:3:3: /);
  });

  test("reads back what it printed", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const again = parseYaml(printYaml(value), "it");
        expect(JSON.stringify(again ?? null)).toEqual(JSON.stringify(value));
      }),
    );
  });
});

describe("a log", () => {
  test("writes one JSON line of a constant phrase and facts", () => {
    const lines = written((log) => log.with({ node: "site-a" }).warn("device silent", { device: "boiler-1" }));
    expect(lines).toMatchObject([{ msg: "device silent", node: "site-a", device: "boiler-1", level: 40 }]);
  });

  test("leaves out what is below its level", () => {
    const lines = written((log) => {
      log.debug("no");
      log.info("no");
      log.error("yes");
    }, "warn");
    expect(lines).toMatchObject([{ msg: "yes" }]);
  });

  test("tells a fault in one line and a bug with its stack", () => {
    const lines = written((log) => {
      log.warn("a", { error: new Fault("LINK_LOST", "gone", { cause: new Error("reset") }) });
      log.warn("b", { error: new TypeError("x is undefined") });
    });
    expect(lines[0]).toMatchObject({ error: { code: "LINK_LOST", message: "gone", cause: "reset" } });
    expect(lines[1]?.error).toMatch(/TypeError: x is undefined\n\s+at /);
  });
});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

function written(work: (log: ReturnType<typeof openLog>) => void, level: "info" | "warn" = "info") {
  const lines: Record<string, unknown>[] = [];
  work(openLog({ level, write: (line) => lines.push(JSON.parse(line)) }));
  return lines;
}
