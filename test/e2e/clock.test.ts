/** A wall clock that is set while everything runs: numbers, not times, say what is there. */
import { expect, test } from "@jest/globals";
import { eventually } from "../rigs/eventually.ts";
import { compileShim, openShim, whyNoShim } from "../rigs/faults/shim.ts";
import { folder } from "../rigs/folder.ts";
import { openWay, type Role } from "../rigs/way.ts";

const reason = whyNoShim();
const LIMIT_MS = 60_000;
const HOUR_MS = 3_600_000;

const jumps: readonly (readonly [Role, string, number])[] = [
  ["edge", "forward and back", HOUR_MS],
  ["cloud", "back and forward", -HOUR_MS],
];

if (reason) test.skip(`clocks are not set here: ${reason}`, () => {});
else
  test.each(jumps)(
    "the clock of the %s that is set %s loses nothing and doubles nothing, also over restarts",
    async (role, _, ms) => {
      using dir = folder();
      compileShim(dir.path);
      const shim = openShim(dir.path, role);
      await using way = await openWay({ devices: 2, values: 5, env: { [role]: shim.env } });
      await way.online();
      for (const shift of [ms, 0]) {
        shim.shiftClock(shift);
        const goal = way.hear() + 20;
        await eventually(() => way.hear() > goal, LIMIT_MS);
        await way.kill("edge", "cloud");
        way.start("edge", "cloud");
        await way.online();
      }
      const { missing, doubled, unexplained, lost } = await way.judge();
      expect({ missing, doubled, unexplained }).toEqual({ missing: 0, doubled: 0, unexplained: 0 });
      if (role === "edge") expect(Object.keys(lost)).toContain("clock jump");
    },
    120_000,
  );
