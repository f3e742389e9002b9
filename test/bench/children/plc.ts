/** A Modbus server of some units of 1,000 holding registers; the first two say when they were read. */
import { openSimulator } from "#drivers/modbus/simulator";
import { blankUnit, type Unit } from "#drivers/modbus/unit";
import { childOptions, clockUs, serveParent } from "../child.ts";

const REGISTERS = 1000;
/** One register in ten changes between two visits, as in a plant; the others stand still. */
const STRIDE = 10;

const { units, port = 0 } = childOptions<{ units: number; port?: number }>();
const simulator = await openSimulator({
  host: "127.0.0.1",
  port,
  units: new Map(Array.from({ length: units }, (_, i) => [i + 1, unit()])),
});
serveParent({ port: simulator.port }, async () => await simulator[Symbol.asyncDispose]());

function unit(): Unit {
  const blank = blankUnit({ holding: REGISTERS });
  let tick = 0;
  let lastMs = 0;
  return {
    ...blank,
    step(nowMs) {
      const us = clockUs();
      blank.holding[0] = us >>> 16;
      blank.holding[1] = us & 0xffff;
      if (nowMs - lastMs < 50) return;
      lastMs = nowMs;
      tick++;
      for (let i = 2 + (tick % STRIDE); i < REGISTERS; i += STRIDE) blank.holding[i] = tick & 0xffff;
    },
  };
}
