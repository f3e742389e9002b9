import { describe, expect, test } from "@jest/globals";
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { boiler, setpoint, temperature } from "../../rigs/boiler.ts";
import { type BusRig, busRig, hang, silence } from "../../rigs/bus.ts";
import { eventually } from "../../rigs/eventually.ts";
import { propertyOf } from "../../rigs/twins.ts";

const device = (unit: number, properties: readonly object[] = [temperature, setpoint]) =>
  boiler(`boiler-${unit}`, { station: { unit } }, { properties });
const never = silence as unknown as Raw;
const noDone = silence as unknown as undefined;
const desired = ({ twins }: BusRig, name: string, property = "setpoint") =>
  propertyOf(twins.named(name), property)?.desired;

describe("a visit", () => {
  test("brings what the device says, again and again", async () => {
    let value = 20;
    await using rig = busRig(() => ({ read: () => value++ }));
    rig.declare(device(1));
    await eventually(() => rig.count("read 1") >= 3);
    expect(rig.twins.named("boiler-1").health).toMatchObject({ online: true, reason: "Answering" });
    expect(rig.count("connect")).toBe(1);
  });

  test("of a device that was declared anew meanwhile brings nothing", async () => {
    const answers: ((raw: Raw) => void)[] = [];
    await using rig = busRig(() => ({ read: () => new Promise((resolve) => answers.push(resolve)) }), 10_000);
    rig.declare(device(1, [temperature]));
    await eventually(() => answers.length === 1);
    rig.declare(device(1, [{ ...temperature, name: "pressure" }]));
    answers.shift()?.(99);
    await eventually(() => answers.length === 1);
    expect([...rig.taken]).toEqual([]);
    answers.shift()?.(3);
    await eventually(() => rig.taken.get("boiler-1 pressure") === 3);
  });
});

describe("a silent device", () => {
  test("does not stop its neighbours, and waits longer each time", async () => {
    await using rig = busRig(() => ({ read: (unit) => (unit === 1 ? never : 21) }), 10);
    rig.declare(device(1), device(2));
    await eventually(() => rig.count("read 2") >= 12);
    expect(rig.twins.named("boiler-1").health).toMatchObject({ online: false, reason: "DEVICE_TIMEOUT" });
    expect(rig.twins.named("boiler-2").health.online).toBe(true);
    expect(rig.count("read 1")).toBeLessThan(rig.count("read 2") / 2);
    expect(rig.count("connect")).toBe(1);
  });

  test("comes back by itself, and both is told once", async () => {
    let isSilent = false;
    await using rig = busRig(() => ({ read: () => (isSilent ? never : 21) }), 10);
    rig.declare(device(1));
    await eventually(() => rig.twins.named("boiler-1").health.online);
    isSilent = true;
    await eventually(() => rig.count("read 1") > 5 && !rig.twins.named("boiler-1").health.online);
    expect(propertyOf(rig.twins.named("boiler-1"), "temperature")?.reported).toMatchObject({ quality: "uncertain" });
    isSilent = false;
    await eventually(() => rig.twins.named("boiler-1").health.online);
    expect(rig.log.of("device silent")).toHaveLength(1);
  });

  test("costs its neighbours no more for the wishes that wait for it", async () => {
    const many = Array.from({ length: 20 }, (_, i) => ({ ...setpoint, name: `p${i}` }));
    await using rig = busRig(() => ({ read: (unit) => (unit === 1 ? never : 21), write: () => noDone }), 10);
    rig.declare(device(1, many), device(2, [temperature]));
    await eventually(() => rig.twins.named("boiler-1").health.reason === "DEVICE_TIMEOUT");
    await Promise.all(many.map(({ name }) => rig.wish("boiler-1", name, 50)));
    const before = rig.asked.length;
    await eventually(() => rig.asked.slice(before).includes("read 1"));
    const writes = rig.asked.slice(before).filter((what) => what.startsWith("write 1"));
    expect(writes.length).toBeLessThanOrEqual(1);
  });
});

test("a device that is slower than its link allows says so itself, for visits and for writes", async () => {
  const slow = () => new Promise<Raw>((resolve) => setTimeout(resolve, 60, 21));
  let value: Raw = 21;
  const write = async (_unit: number, _property: string, raw: Raw) => {
    await slow();
    value = raw;
  };
  await using rig = busRig(() => ({ read: () => slow().then(() => value), write }), 20);
  rig.declare(boiler("boiler-1", { station: { unit: 1, timeoutMs: 2000 } }), device(2));
  await eventually(() => rig.twins.named("boiler-1").health.online);
  await eventually(() => rig.twins.named("boiler-2").health.reason === "DEVICE_TIMEOUT");
  expect(rig.twins.named("boiler-2").health.message).toBe("boiler-2 did not answer within 20 ms");
  await rig.wish("boiler-1", "setpoint", 70);
  await eventually(() => desired(rig, "boiler-1")?.state === "applied");
  expect(rig.count("write 1 setpoint=70")).toBe(1);
});

describe("a link", () => {
  test("that is lost comes up again, and its devices are away meanwhile", async () => {
    let isLost = false;
    await using rig = busRig(() => ({
      read() {
        if (isLost) throw new Fault("LINK_LOST", "connection reset");
        return 21;
      },
    }));
    rig.declare(device(1), device(2));
    await eventually(() => rig.twins.named("boiler-2").health.online);
    isLost = true;
    await eventually(() => rig.twins.named("boiler-2").health.reason === "LINK_LOST");
    expect(rig.asked).toContain("close");
    isLost = false;
    await eventually(() => rig.twins.named("boiler-1").health.online && rig.twins.named("boiler-2").health.online);
    expect(rig.count("connect")).toBeGreaterThan(1);
  });

  test("is lost when its driver throws something odd; the bus goes on", async () => {
    let broken = true;
    await using rig = busRig(() => ({
      read() {
        if (!broken) return 21;
        broken = false;
        throw new TypeError("x is not a function");
      },
    }));
    rig.declare(device(1));
    await eventually(() => rig.twins.named("boiler-1").health.online);
    expect(rig.log.of("link lost")).toMatchObject([{ error: { message: "x is not a function" } }]);
  });

  test("that can not be reached is tried again later each time, and said once", async () => {
    await using rig = busRig(() => ({
      connect() {
        throw new Fault("LINK_LOST", "nobody is there");
      },
    }));
    rig.declare(device(1));
    await eventually(() => rig.count("connect") >= 3);
    expect(rig.twins.named("boiler-1").health).toMatchObject({ online: false, reason: "LINK_LOST" });
    expect(rig.log.of("link lost")).toHaveLength(1);
  });
});

describe("a driver that hangs", () => {
  const stuck = hang as unknown as Raw;

  test("at a read costs its link, which comes back", async () => {
    let isStuck = true;
    await using rig = busRig(() => ({ read: () => (isStuck ? stuck : 21) }), 10);
    rig.declare(device(1));
    await eventually(() => rig.twins.named("boiler-1").health.reason === "LINK_LOST");
    expect(rig.twins.named("boiler-1").health.message).toBe("the driver did not give up within 50 ms");
    isStuck = false;
    await eventually(() => rig.twins.named("boiler-1").health.online);
  });

  test("when it is closed is left behind", async () => {
    let isLost = false;
    const read = () => {
      if (isLost) throw new Fault("LINK_LOST", "connection reset");
      return 21;
    };
    await using rig = busRig(() => ({ read, close: () => hang as never }));
    rig.declare(device(1));
    await eventually(() => rig.twins.named("boiler-1").health.online);
    isLost = true;
    await eventually(() => rig.log.of("link left behind, its driver hangs").length > 0);
    isLost = false;
    await eventually(() => rig.twins.named("boiler-1").health.online);
    expect(rig.count("connect")).toBeGreaterThan(1);
  });

  test("does not hold up the stop of the node", async () => {
    const rig = busRig(() => ({ read: () => stuck, close: () => hang as never }), 10_000);
    rig.declare(device(1));
    await eventually(() => rig.count("read 1") === 1);
    await rig[Symbol.asyncDispose]();
  });
});

describe("a wish", () => {
  test("is written and applied when the device says it", async () => {
    let value: Raw = 20;
    await using rig = busRig(() => ({
      read: () => value,
      write(_unit, _property, raw) {
        value = raw;
      },
    }));
    rig.declare(device(1));
    await rig.wish("boiler-1", "setpoint", 70);
    await eventually(() => desired(rig, "boiler-1")?.state === "applied");
    expect(rig.count("write 1 setpoint=70")).toBe(1);
  });

  test("goes before polls, also on a bus that is never done", async () => {
    await using rig = busRig(() => ({ read: () => new Promise((resolve) => setTimeout(resolve, 3, 21)) }), 1000);
    const units = Array.from({ length: 20 }, (_, i) => i + 1);
    rig.declare(
      ...units.map((unit) =>
        device(unit, [
          { ...temperature, every: "1ms" },
          { ...setpoint, every: "1ms" },
        ]),
      ),
    );
    await eventually(() => rig.count("read 20") > 0);
    await rig.wish("boiler-20", "setpoint", 70);
    const before = rig.asked.length;
    await eventually(() => rig.count("write 20 setpoint=70") > 0);
    expect(rig.asked.slice(before).findIndex((what) => what.startsWith("write"))).toBeLessThanOrEqual(2);
  });

  test("that the device refuses is remembered and not repeated", async () => {
    await using rig = busRig(() => ({
      write() {
        throw new Fault("DEVICE_REFUSED", "illegal data value");
      },
    }));
    rig.declare(device(1));
    await rig.wish("boiler-1", "setpoint", 70);
    await eventually(() => desired(rig, "boiler-1")?.state === "refused");
    const reads = rig.count("read 1");
    await eventually(() => rig.count("read 1") > reads + 3);
    expect(rig.count("write 1 setpoint=70")).toBe(1);
    expect(desired(rig, "boiler-1")?.reason).toBe("DEVICE_REFUSED: illegal data value");
  });

  test("that was not answered in time is written again", async () => {
    let tries = 0;
    let value: Raw = 20;
    await using rig = busRig(
      () => ({
        read: () => value,
        write(_unit, _property, raw) {
          if (++tries < 3) return noDone;
          value = raw;
        },
      }),
      10,
    );
    rig.declare(device(1));
    await rig.wish("boiler-1", "setpoint", 70);
    await eventually(() => desired(rig, "boiler-1")?.state === "applied");
    expect(tries).toBe(3);
  });

  test("that never shows is refused after three writes", async () => {
    await using rig = busRig(() => ({ read: () => 20 }));
    rig.declare(device(1));
    await rig.wish("boiler-1", "setpoint", 70);
    await eventually(() => desired(rig, "boiler-1")?.state === "refused");
    expect(rig.count("write 1 setpoint=70")).toBe(3);
  });

  test("for a device that can only be written is written after the link was lost too", async () => {
    let isLost = true;
    await using rig = busRig(() => ({
      connect() {
        if (isLost) throw new Fault("LINK_LOST", "nobody is there");
      },
    }));
    rig.declare(device(1, [{ ...setpoint, access: "write" }]));
    await eventually(() => rig.twins.named("boiler-1").health.reason === "LINK_LOST");
    await rig.wish("boiler-1", "setpoint", 70);
    isLost = false;
    await eventually(() => desired(rig, "boiler-1")?.state === "applied", 3000);
    expect(rig.twins.named("boiler-1").health.online).toBe(true);
  });

  test("for a silent device that can only be written is told ever less often, and costs its neighbours little", async () => {
    let isSilent = true;
    const write = (unit: number) => (unit === 1 && isSilent ? noDone : undefined);
    await using rig = busRig(() => ({ write }), 20);
    rig.declare(device(1, [{ ...setpoint, access: "write" }]), device(2));
    await rig.wish("boiler-1", "setpoint", 70);
    await eventually(() => rig.twins.named("boiler-1").health.reason === "DEVICE_TIMEOUT");
    for (const value of [30, 40, 50]) await rig.wish("boiler-2", "setpoint", value);
    const reads = rig.count("read 2");
    await eventually(() => rig.count("read 2") > reads + 10);
    expect(rig.count("write 1 setpoint=70")).toBe(1);
    isSilent = false;
    await eventually(() => desired(rig, "boiler-1")?.state === "applied");
    expect(rig.twins.named("boiler-1").health.online).toBe(true);
  });

  test("is not written on a link that its device has left", async () => {
    const writes: (() => void)[] = [];
    await using rig = busRig(() => ({ write: () => new Promise<void>((resolve) => writes.push(resolve)) }), 10_000);
    const two = [setpoint, { ...setpoint, name: "pump" }];
    rig.declare(device(1, two), device(2));
    await Promise.all([rig.wish("boiler-1", "setpoint", 70), rig.wish("boiler-1", "pump", 50)]);
    const write = await eventually(() => writes[0]);
    rig.set([rig.twins.named("boiler-2")]);
    write();
    const reads = rig.count("read 2");
    await eventually(() => rig.count("read 2") > reads + 2);
    expect(rig.asked.filter((what) => what.startsWith("write"))).toEqual(["write 1 setpoint=70"]);
  });
});

describe("a job", () => {
  const forever = new AbortController().signal;
  const pump = (rig: BusRig, unit: number, value: Raw, signal = forever) => {
    const twin = rig.twins.named(`boiler-${unit}`);
    return rig.ask(
      twin,
      async (requests, signal) => {
        const [device, point] = [twin.device, twin.device?.points[1]];
        if (device && point) await requests.write(device, point, value, signal);
      },
      signal,
    );
  };
  const soon = () => new Promise<Raw>((resolve) => setTimeout(resolve, 3, 21));
  const quick = { ...temperature, every: "1ms" };
  const busy = (unit: number) => device(unit, [quick, { ...setpoint, every: "1h" }]);

  test("on a silent device ends with the timeout of the link, however long its caller would wait", async () => {
    await using rig = busRig(() => ({ write: (unit) => (unit === 1 ? noDone : undefined) }), 20);
    rig.declare(device(1), device(2));
    await expect(pump(rig, 1, 70)).rejects.toMatchObject({
      code: "DEVICE_TIMEOUT",
      message: "boiler-1 did not answer within 20 ms",
    });
    await pump(rig, 2, 70);
    expect(rig.count("connect")).toBe(1);
  });

  test("does not wait for the visits that are due, but for the one under way", async () => {
    await using rig = busRig(() => ({ read: soon }), 1000);
    rig.declare(...Array.from({ length: 20 }, (_, i) => busy(i + 1)));
    await eventually(() => rig.count("read 20") > 0);
    const before = rig.asked.length;
    await pump(rig, 1, 70);
    expect(rig.asked.slice(before).indexOf("write 1 setpoint=70")).toBeLessThanOrEqual(1);
  });

  test("and many more let visits that are due have their turns between them", async () => {
    await using rig = busRig(() => ({ read: soon, write: async () => void (await soon()) }), 1000);
    rig.declare(busy(1), busy(2));
    await eventually(() => rig.count("read 2") > 0);
    const before = rig.asked.length;
    await Promise.all(Array.from({ length: 20 }, (_, i) => pump(rig, 1, i)));
    const asked = rig.asked.slice(before).map((what) => what.slice(0, 5));
    expect(asked.filter((what) => what === "write")).toHaveLength(20);
    expect(asked.join(" ")).not.toContain("write write");
  });

  test("that took long gives the visits that are due as much time", async () => {
    let isSilent = true;
    await using rig = busRig(() => ({ read: soon, write: () => (isSilent ? noDone : undefined) }), 60);
    rig.declare(busy(1), busy(2));
    await eventually(() => rig.count("read 2") > 0);
    const failed = pump(rig, 1, 1);
    const before = rig.asked.length;
    const next = pump(rig, 1, 2);
    await expect(failed).rejects.toMatchObject({ code: "DEVICE_TIMEOUT" });
    isSilent = false;
    await next;
    expect(rig.asked.slice(before).filter((what) => what.startsWith("read")).length).toBeGreaterThan(5);
  });

  test("goes before the next wish of many", async () => {
    const many = Array.from({ length: 20 }, (_, i) => ({ ...setpoint, name: `p${i}`, every: "1h" }));
    const write = async () => void (await soon());
    await using rig = busRig(() => ({ write }), 1000);
    rig.declare(device(1, [temperature, setpoint, ...many]));
    await eventually(() => rig.twins.named("boiler-1").health.online);
    const wishes = Promise.all(many.map(({ name }) => rig.wish("boiler-1", name, 50)));
    await eventually(() => rig.asked.some((what) => what.startsWith("write 1 p")));
    const before = rig.asked.length;
    await pump(rig, 1, 70);
    const between = rig.asked.slice(before, rig.asked.indexOf("write 1 setpoint=70"));
    expect(between.length).toBeLessThanOrEqual(2);
    await wishes;
  });

  test("that waits for a link is refused when its device leaves the link", async () => {
    const connect = () => {
      throw new Fault("LINK_LOST", "nobody is there");
    };
    await using rig = busRig(() => ({ connect }));
    rig.declare(device(1), device(2));
    const [asked, stays] = [pump(rig, 1, 70), pump(rig, 2, 70, AbortSignal.timeout(200))];
    rig.set([rig.twins.named("boiler-2")]);
    await expect(asked).rejects.toMatchObject({ code: "DEVICE_UNKNOWN" });
    await expect(pump(rig, 1, 70)).rejects.toMatchObject({ code: "DEVICE_UNKNOWN" });
    await expect(stays).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

describe("a device says who it is", () => {
  const acme = { vendor: "Acme", product: "PM 300" };

  test("once on a connection, after it has answered, however often it is declared anew", async () => {
    await using rig = busRig(() => ({ describe: () => acme }));
    rig.declare(device(1), device(2));
    await eventually(() => rig.twins.named("boiler-2").identity);
    expect(rig.twins.named("boiler-1").identity).toEqual(acme);
    expect(rig.asked.indexOf("describe 1")).toBeGreaterThan(rig.asked.indexOf("read 1"));
    rig.declare({ ...device(1), generation: 2 }, device(2));
    const reads = rig.count("read 2");
    await eventually(() => rig.count("read 2") > reads + 3);
    expect([rig.count("describe 1"), rig.count("describe 2")]).toEqual([1, 1]);
  });

  test("anew on a new connection, and when it has another number on the link", async () => {
    let isLost = false;
    const read = () => {
      if (isLost) throw new Fault("LINK_LOST", "connection reset");
      return 21;
    };
    await using rig = busRig(() => ({ read, describe: (unit) => ({ serial: `${unit}` }) }));
    rig.declare(device(1));
    await eventually(() => rig.twins.named("boiler-1").identity?.serial === "1");
    isLost = true;
    await eventually(() => rig.twins.named("boiler-1").link?.state === "waiting");
    isLost = false;
    await eventually(() => rig.count("describe 1") === 2);
    rig.declare(boiler("boiler-1", { station: { unit: 7 } }));
    expect(rig.twins.named("boiler-1").identity).toBeUndefined();
    await eventually(() => rig.twins.named("boiler-1").identity?.serial === "7");
  });

  test("or not, but silence does not follow upon silence: that is how a dead connection shows", async () => {
    await using rig = busRig(() => ({ describe: () => never as unknown as Promise<never> }), 10);
    const seldom = { ...temperature, every: "60ms" };
    rig.declare(...[1, 2, 3, 4, 5].map((unit) => device(unit, [seldom])));
    await eventually(() => [1, 2, 3, 4, 5].every((unit) => rig.count(`describe ${unit}`) === 1));
    expect(rig.asked.map((what) => what.split(" ")[0]).join(" ")).not.toContain("describe describe");
  });

  test("or not, which costs nothing but one wait", async () => {
    await using rig = busRig(
      () => ({ describe: (unit) => (unit === 1 ? (never as unknown as Promise<never>) : {}) }),
      20,
    );
    rig.declare(device(1), device(2));
    await eventually(() => rig.count("describe 1") === 1 && rig.count("describe 2") === 1);
    const reads = rig.count("read 1");
    await eventually(() => rig.count("read 1") > reads + 3);
    expect([rig.count("describe 1"), rig.count("describe 2"), rig.count("connect")]).toEqual([1, 1, 1]);
    expect(rig.twins.named("boiler-2").identity).toBeUndefined();
  });
});

test("a device knows how its link fares", async () => {
  let isThere = false;
  const connect = () => {
    if (!isThere) throw new Fault("LINK_LOST", "nobody is there");
  };
  await using rig = busRig(() => ({ connect }));
  rig.declare(device(1));
  expect(rig.twins.named("boiler-1").link).toMatchObject({ state: "connecting", failures: 0 });
  await eventually(() => (rig.twins.named("boiler-1").link?.failures ?? 0) >= 2);
  expect(rig.twins.named("boiler-1").link).toMatchObject({ state: "waiting", reason: "LINK_LOST: nobody is there" });
  isThere = true;
  await eventually(() => rig.twins.named("boiler-1").health.online);
  expect(rig.twins.named("boiler-1").link).toMatchObject({ state: "up", failures: 0 });
  expect(rig.twins.named("boiler-1").link).not.toHaveProperty("reason");
});

describe("a device that was removed while it was asked", () => {
  const lastWords = (rig: BusRig) => rig.told.slice(rig.told.indexOf("gone boiler-1") + 1);
  const remove = (rig: BusRig) => {
    const [first, second] = [rig.twins.named("boiler-1"), rig.twins.named("boiler-2")];
    rig.twins.remove(first.declared.uid);
    rig.set([second]);
  };

  test("says nothing any more, and is not called silent", async () => {
    const answers: ((raw: Raw) => void)[] = [];
    const read = (unit: number) => (unit === 1 ? new Promise<Raw>((resolve) => answers.push(resolve)) : 21);
    await using rig = busRig(() => ({ read }), 10_000);
    rig.declare(device(1, [temperature]), device(2));
    await eventually(() => answers.length === 1);
    remove(rig);
    answers.shift()?.(99);
    await eventually(() => rig.count("read 2") >= 2);
    expect(rig.taken.has("boiler-1 temperature")).toBe(false);
    expect(lastWords(rig).filter((told) => told.includes("boiler-1"))).toEqual([]);
  });

  test("is not called silent when its answer never comes", async () => {
    let isSilent = false;
    await using rig = busRig(() => ({ read: (unit) => (unit === 1 && isSilent ? never : 21) }), 50);
    rig.declare(device(1, [temperature]), device(2));
    await eventually(() => rig.twins.named("boiler-1").health.online);
    isSilent = true;
    const asked = rig.count("read 1");
    await eventually(() => rig.count("read 1") > asked);
    remove(rig);
    const others = rig.count("read 2");
    await eventually(() => rig.count("read 2") > others);
    expect(lastWords(rig).filter((told) => told.includes("boiler-1"))).toEqual([]);
  });

  test("has no wish any more, also when it confirms one", async () => {
    const confirm: (() => void)[] = [];
    const write = () => new Promise<void>((resolve) => confirm.push(resolve));
    await using rig = busRig(() => ({ write }), 10_000);
    rig.declare(device(1), device(2));
    await rig.wish("boiler-1", "setpoint", 70);
    await eventually(() => confirm.length === 1);
    remove(rig);
    confirm.shift()?.();
    const others = rig.count("read 2");
    await eventually(() => rig.count("read 2") > others);
    expect(lastWords(rig).filter((told) => told.includes("boiler-1"))).toEqual([]);
  });
});
