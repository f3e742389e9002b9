/** Cloud and site end up with the same, whatever is lost, repeated, late or restarted on the way. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type ConflictRule, conflictRule, desireByCloud, desireBySite, type PropertyTwin } from "#devices/twin";

/** What may happen between two people who wish and the line between them. */
type Step =
  | { readonly do: "cloud wishes" | "site wishes"; readonly value: number }
  | { readonly do: "cloud insists" | "cloud looks" | "declare" | "report" | "lose" | "repeat" | "restart" };

interface Declared {
  readonly value: number;
  readonly version: number;
  readonly at: number;
  readonly askedAt: number;
  readonly seen: number;
}

/** One property, both sides, and what is under way between them. Messages of one side keep their order, as on TCP. */
class World {
  twin: PropertyTwin = {};
  status: PropertyTwin = {};
  spec = { value: 0, generation: 1, askedAt: 0 };
  clock = 0;
  readonly rule: ConflictRule;
  #observed: Declared | undefined;
  #siteVersion = 0;
  #down: Declared[] = [];
  #up: PropertyTwin[] = [];

  constructor(rule: ConflictRule) {
    this.rule = rule;
  }

  step(step: Step): void {
    this.clock++;
    switch (step.do) {
      case "cloud wishes":
        this.spec = { ...this.spec, value: step.value, generation: this.spec.generation + 1 };
        return;
      case "cloud insists":
        this.spec = { ...this.spec, askedAt: this.clock, generation: this.spec.generation + 1 };
        return;
      case "site wishes":
        this.twin = desireBySite(this.twin, { value: step.value, version: ++this.#siteVersion, at: this.clock });
        return;
      case "cloud looks":
        // A new generation is seen together with the status that stands beside it.
        if (this.#observed?.version !== this.spec.generation) {
          const { desired } = this.status;
          const seen = desired?.by === "site" ? desired.version : 0;
          const { value, generation, askedAt } = this.spec;
          this.#observed = { value, version: generation, at: this.clock, askedAt, seen };
        }
        this.#down.push(this.#observed);
        return;
      case "declare":
        this.#declare(this.#down.shift());
        return;
      case "report":
        this.#up.push(this.twin);
        this.status = this.#up.shift() ?? this.status;
        return;
      case "lose":
        this.#down = [];
        this.#up = [];
        return;
      case "repeat":
        this.#declare(this.#down[0]);
        return;
      case "restart":
        this.twin = JSON.parse(JSON.stringify(this.twin)) as PropertyTwin;
        this.#observed = undefined;
        this.step({ do: "lose" });
        return;
    }
  }

  /** The line is whole and everything that is true is told. */
  settle(): void {
    for (const step of ["lose", "cloud looks", "declare", "report"] as const) this.step({ do: step });
  }

  #declare(declared: Declared | undefined): void {
    if (!declared) return;
    const { seen, ...wish } = declared;
    this.twin = desireByCloud(this.twin, wish, { rule: this.rule, seen });
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("cloud wishes", "site wishes"), value: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ do: fc.constantFrom("cloud insists", "cloud looks", "declare", "report", "lose", "repeat", "restart") }),
) as fc.Arbitrary<Step>;

test("both sides end up with the same wish under any schedule", () => {
  fc.assert(
    fc.property(fc.constantFrom(...conflictRule.options), fc.array(step, { maxLength: 60 }), (rule, steps) => {
      const world = new World(rule);
      for (const one of steps) world.step(one);
      world.settle();
      expect(world.status).toEqual(world.twin);
      const once = world.twin;
      world.settle();
      world.settle();
      expect(world.twin).toEqual(once);
    }),
    { numRuns: 5_000 },
  );
});

test("what stands is the last wish of one side, and never one that was never wished", () => {
  fc.assert(
    fc.property(fc.constantFrom(...conflictRule.options), fc.array(step, { maxLength: 60 }), (rule, steps) => {
      const world = new World(rule);
      for (const one of steps) world.step(one);
      world.settle();
      const lastOfSite = steps.findLast((one) => one.do === "site wishes") as { value: number } | undefined;
      const lasts = [world.spec.value, lastOfSite?.value];
      expect(lasts).toContain(world.twin.desired?.value);
    }),
    { numRuns: 5_000 },
  );
});

/** Both change their mind while the line is cut; then it is mended. */
function quarrel(rule: ConflictRule, first: "cloud wishes" | "site wishes"): World {
  const world = new World(rule);
  world.settle();
  const second = first === "cloud wishes" ? "site wishes" : "cloud wishes";
  world.step({ do: first, value: first === "cloud wishes" ? 1 : 2 });
  if (first === "cloud wishes") world.step({ do: "cloud looks" });
  world.step({ do: second, value: second === "cloud wishes" ? 1 : 2 });
  world.settle();
  return world;
}

test.each([
  ["cloud", "site wishes", 1, "cloud"],
  ["cloud", "cloud wishes", 1, "cloud"],
  ["site", "site wishes", 2, "site"],
  ["site", "cloud wishes", 2, "site"],
  ["manual", "site wishes", 2, "site"],
  ["newest", "site wishes", 1, "cloud"],
  ["newest", "cloud wishes", 2, "site"],
] as const)("by the rule %s, when the first to speak is: %s, %d stands", (rule, first, value, by) => {
  const { twin } = quarrel(rule, first);
  expect([twin.desired?.value, twin.desired?.by]).toEqual([value, by]);
  expect(twin.conflict?.kept).toEqual({ by, value });
});

test("a wish that is asked for again stands against one that its author saw", () => {
  const world = new World("site");
  world.settle();
  world.step({ do: "site wishes", value: 2 });
  world.settle();
  expect(world.twin.desired).toMatchObject({ value: 2, by: "site" });
  world.step({ do: "cloud insists" });
  world.settle();
  expect(world.twin.desired).toMatchObject({ value: 0, by: "cloud" });
});

test("a wish whose author saw the other's is no conflict", () => {
  const world = new World("site");
  world.settle();
  world.step({ do: "site wishes", value: 2 });
  world.settle();
  world.step({ do: "cloud wishes", value: 1 });
  world.settle();
  expect(world.twin.desired).toMatchObject({ value: 1, by: "cloud" });
  expect(world.twin.conflict).toBeUndefined();
});
