/** How a node explains the reading of a device. */
import { describe, expect, test } from "@jest/globals";
import type { Driver } from "#devices/driver";
import { expand } from "#devices/expand";
import { modbus } from "#drivers/modbus/index";
import { virtual } from "#drivers/virtual/index";
import { planOf } from "#edge/devices/plan";
import { Fault } from "#std/fault";
import { virtualBoiler } from "../../rigs/virtual-boiler.ts";

const driver = modbus() as Driver;
const property = (name: string, register: number, every: string, rest: object = {}) => ({
  name,
  type: "number",
  address: { table: "holding", register },
  every,
  ...rest,
});

function device(link: object) {
  const properties = [
    property("a", 0, "1s"),
    property("b", 4, "1s"),
    property("c", 100, "10s"),
    property("d", 200, "1s", { access: "write" }),
  ];
  return expand(
    {
      namespace: "default",
      name: "meter-1",
      uid: "u",
      generation: 1,
      modelGeneration: 1,
      spec: { model: "meter", node: "site-a", link, station: { unit: 3 } },
      model: { protocol: "modbus", properties },
    },
    driver,
  );
}

describe("the plan of a device", () => {
  test("has a cycle for each period, and leaves out what is only written", () => {
    const { visits, ...rest } = planOf(device({ host: "plc" }), driver, { roundTripMs: 5 });
    expect(visits).toMatchObject([
      { everyMs: 1_000, properties: ["a", "b"], asked: 5, wasted: 3, cycleMs: 5, load: 0.005 },
      { everyMs: 10_000, properties: ["c"], asked: 1, wasted: 0, cycleMs: 5, load: 0.0005 },
    ]);
    expect(visits[0]?.requests).toMatchObject([{ request: "unit 3: read holding 0 to 4 (function 3)", asked: 5 }]);
    expect(rest).toMatchObject({ device: "meter-1", protocol: "modbus", address: "plc:502", pushed: [], learned: [] });
    expect(rest.load).toBeCloseTo(0.0055);
  });

  test("has no load as long as nobody knows how long a request takes", () => {
    expect(planOf(device({ host: "plc" }), driver).load).toBeUndefined();
    expect(planOf(device({ transport: "rtu", path: "/dev/ttyS0", baudRate: 9600 }), driver).load).toBeGreaterThan(0);
  });

  test("is refused for a driver that plans nothing", () => {
    const plain = virtual() as Driver;
    expect(() => planOf(expand(virtualBoiler("b"), plain), plain)).toThrow(Fault);
  });
});
