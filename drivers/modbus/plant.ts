/**
 * Two devices for `edgeadm run dev` that behave like devices: a boiler whose temperature follows its setpoint, and a
 * tank that fills and drains. They depend on the clock alone, so that two runs at the same times say the same.
 *
 * | unit 1, boiler | address | type | meaning |
 * |---|---|---|---|
 * | temperature | input 0 | int16 | Cel, × 0.1 |
 * | pressure | input 1 | uint16 | bar, × 0.01 |
 * | setpoint | holding 10 | float32, big | Cel, 20 to 90 |
 * | energy | holding 20 | uint64, big | W.h, only ever grows |
 * | pump | coil 0 | | without it no heat leaves the boiler and it cools |
 * | flame | discrete 0 | | burns while the boiler heats up |
 *
 * | unit 2, tank | address | type | meaning |
 * |---|---|---|---|
 * | level | input 0 | uint16 | %, × 0.01 |
 * | flow | input 1 | int16 | L/min, × 0.1; negative while it drains |
 * | mode | holding 0 | uint16 | 0 off, 1 fill to 80 %, 2 cycle between 20 and 80 % |
 * | name | holding 1 | string, length 8 | |
 * | valve | coil 0 | | the inlet; the mode moves it |
 */
import { encode, type Format } from "./registers.ts";
import { blankUnit, type Unit } from "./unit.ts";

/** The unit identifiers of the plant. */
export const plantUnits = { boiler: 1, tank: 2 } as const;

/** Both devices, as {@link openSimulator} takes them. */
export function plant(): Map<number, Unit> {
  return new Map([
    [plantUnits.boiler, boiler()],
    [plantUnits.tank, tank()],
  ]);
}

const big = { words: "big", bytes: "big" } as const;
const float32: Format = { type: "float32", ...big };
const uint64: Format = { type: "uint64", ...big };

/** Room temperature. */
const AMBIENT = 18;
/** Seconds in which the boiler covers 63 % of the way to where it is going. */
const LAG_S = 30;
/** What the burner takes while it heats up, and what it takes to hold the temperature, in watt. */
const BURNER_W = 24_000;
const HOLD_W = 3_000;

/** The boiler, cold at first. */
export function boiler(): Unit {
  const unit = blankUnit({ coil: 1, discrete: 1, input: 2, holding: 24 });
  const { coil, discrete, input, holding } = unit;
  const view = new DataView(new ArrayBuffer(4));
  let temperature = AMBIENT;
  let energyWh = 0;
  let lastMs: number | undefined;
  coil[0] = 1;
  holding.set(encode(70, float32), 10);
  return { ...unit, identity: { vendor: "Skerry", product: "Boiler", revision: "1" }, step };

  function step(nowMs: number): void {
    if (nowMs === lastMs) return;
    const seconds = Math.max(0, nowMs - (lastMs ?? nowMs)) / 1000;
    lastMs = nowMs;
    const goal = coil[0] ? setpoint() : AMBIENT;
    const flame = goal - temperature > 0.5;
    // Exact for any step, so that the temperature does not depend on how often somebody reads.
    temperature = goal + (temperature - goal) * Math.exp(-seconds / LAG_S);
    energyWh += ((flame ? BURNER_W : coil[0] ? HOLD_W : 0) * seconds) / 3600;
    const shown = temperature + ripple(nowMs / 1000);
    discrete[0] = flame ? 1 : 0;
    input[0] = Math.round(shown * 10);
    input[1] = Math.round((1 + shown / 60) * 100);
    holding.set(encode(BigInt(Math.floor(energyWh)), uint64), 20);
  }

  /** What was written, as far as the boiler can follow it. */
  function setpoint(): number {
    view.setUint16(0, holding[10] ?? 0);
    view.setUint16(2, holding[11] ?? 0);
    const wish = view.getFloat32(0);
    return Number.isFinite(wish) ? Math.min(90, Math.max(20, wish)) : AMBIENT;
  }
}

/** Looks like noise of ±0.3 K and is the same at the same time. */
function ripple(t: number): number {
  return 0.15 * Math.sin(t * 1.7) + 0.1 * Math.sin(t * 4.3 + 1) + 0.05 * Math.sin(t * 11.9 + 2);
}

/** Litres of the tank. */
const TANK_L = 1000;
/** What the open inlet brings, and what is always used, in litres per minute. */
const INLET_L_MIN = 240;
const OUTLET_L_MIN = 90;

/** The tank, half full and in cycle mode. */
export function tank(): Unit {
  const unit = blankUnit({ coil: 1, input: 2, holding: 9 });
  const { coil, input, holding } = unit;
  let litres = TANK_L / 2;
  let lastMs: number | undefined;
  coil[0] = 1;
  holding[0] = 2;
  holding.set(encode("tank 2", { type: "string", length: 8, ...big }), 1);
  return { ...unit, identity: { vendor: "Skerry", product: "Tank", revision: "1" }, step };

  function step(nowMs: number): void {
    if (nowMs === lastMs) return;
    const minutes = Math.max(0, nowMs - (lastMs ?? nowMs)) / 60_000;
    lastMs = nowMs;
    const inlet = coil[0] ? INLET_L_MIN : 0;
    const outlet = litres > 0 ? OUTLET_L_MIN : 0;
    litres = Math.min(TANK_L, Math.max(0, litres + (inlet - outlet) * minutes));
    input[0] = Math.round((litres / TANK_L) * 10_000);
    input[1] = (inlet - outlet) * 10;
    const share = litres / TANK_L;
    if (holding[0] === 1) coil[0] = share < 0.8 ? 1 : 0;
    if (holding[0] === 2 && share <= 0.2) coil[0] = 1;
    if (holding[0] === 2 && share >= 0.8) coil[0] = 0;
  }
}
