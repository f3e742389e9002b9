import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  at,
  DEFINITIONS,
  type Line,
  openTestRegistry,
  type TestRegistry,
  WIDGETS,
  widget,
  widgets,
} from "../../rigs/registry.ts";

const MERGE = { "content-type": "application/merge-patch+json" };
const NAMES = ["a", "b", "c", "d"];
const TIERS = ["one", "two"];
const SELECTORS = ["", "labelSelector=tier%3Done", "labelSelector=tier%21%3Done", "fieldSelector=spec.colour%3Dblue"];
const END = "end-marker";

/** One thing that somebody does; `join` begins a watch at a version that was seen before, or now. */
type Step =
  | {
      readonly do: "write";
      readonly name: string;
      readonly tier: string;
      readonly colour: string;
      readonly size: number;
    }
  | { readonly do: "delete"; readonly name: string }
  | { readonly do: "join"; readonly selector: string; readonly back: number };

const name = fc.constantFrom(...NAMES);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      name,
      tier: fc.constantFrom(...TIERS),
      colour: fc.constantFrom("red", "blue"),
      size: fc.nat(3),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("join" as const),
      selector: fc.constantFrom(...SELECTORS),
      back: fc.nat(10),
    }),
  },
);

type State = ReadonlyMap<string, unknown>;

/** What a list says at one version. */
interface Snapshot {
  readonly version: string;
  readonly states: ReadonlyMap<string, State>;
}

describe("watches and lists agree", () => {
  test("whoever lists and watches from there has the exact state, whatever the selector and the moment", async () => {
    await using rig = await openTestRegistry();
    await rig.admin.request("POST", DEFINITIONS, widgets());
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        await rig.admin.request("DELETE", WIDGETS);
        await play(rig, steps);
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});

async function play({ admin }: TestRegistry, steps: readonly Step[]): Promise<void> {
  const snapshots: Snapshot[] = [await snapshot(admin)];
  const watchers: { selector: string; result: Promise<State> }[] = [];
  for (const one of steps) {
    if (one.do === "join") {
      const from = snapshots.at(-1 - Math.min(one.back, snapshots.length - 1)) as Snapshot;
      const lines = await admin.watch(`${WIDGETS}?watch=true&resourceVersion=${from.version}&${one.selector}`);
      const known = new Map(from.states.get(one.selector));
      watchers.push({ selector: one.selector, result: follow(lines, known) });
      continue;
    }
    if (one.do === "delete") await admin.request("DELETE", `${WIDGETS}/${one.name}`);
    else await write(admin, one);
    snapshots.push(await snapshot(admin));
  }
  const last = snapshots.at(-1) as Snapshot;
  // An object that every selector sees tells the watchers that all has been said.
  await admin.request("POST", WIDGETS, widget(END, { size: 1, colour: "blue" }, { labels: { tier: "one" } }));
  await admin.request("PATCH", `${WIDGETS}/${END}`, { metadata: { labels: { tier: "two" } } }, MERGE);
  for (const { selector, result } of watchers)
    expect([selector, Object.fromEntries(await result)]).toEqual([
      selector,
      Object.fromEntries(last.states.get(selector) ?? []),
    ]);
}

async function write(
  admin: TestRegistry["admin"],
  { name, tier, colour, size }: Step & { do: "write" },
): Promise<void> {
  const change = { metadata: { labels: { tier } }, spec: { colour, size } };
  const { status } = await admin.request("PATCH", `${WIDGETS}/${name}`, change, MERGE);
  if (status === 404) await admin.request("POST", WIDGETS, widget(name, change.spec, change.metadata));
}

async function snapshot(admin: TestRegistry["admin"]): Promise<Snapshot> {
  const lists = await Promise.all(SELECTORS.map((selector) => admin.request("GET", `${WIDGETS}?${selector}`)));
  const states = lists.map(({ body }, index) => {
    const items = (body.items as Line["object"][]).map((item) => [String(item.metadata.name), item] as const);
    return [SELECTORS[index] ?? "", new Map<string, unknown>(items)] as const;
  });
  return { version: String(at(lists[0]?.body, "metadata", "resourceVersion")), states: new Map(states) };
}

/** Applies events to a state as an informer does, and refuses what an informer could not make sense of. */
async function follow(lines: AsyncIterator<Line>, state: Map<string, unknown>): Promise<State> {
  let version = 0;
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error("the watch ended early");
    const { type, object } = value as Line;
    const name = String(object.metadata.name);
    expect(Number(object.metadata.resourceVersion)).toBeGreaterThan(version);
    version = Number(object.metadata.resourceVersion);
    if (name === END) {
      await lines.return?.();
      return state;
    }
    expect(state.has(name)).toBe(type !== "ADDED");
    if (type === "DELETED") state.delete(name);
    else state.set(name, object);
  }
}
