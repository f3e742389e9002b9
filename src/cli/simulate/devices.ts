/** Devices that do not exist, alive enough to try things out with: each is a server, and what happens in it each second. */
import { plant } from "#drivers/modbus/plant";
import { openSimulator } from "#drivers/modbus/simulator";
import { meter, type Pan, print, scale, sentences } from "#drivers/serial/simulated";
import { openSerialSimulator, type SerialDevice, type SerialSimulator } from "#drivers/serial/simulator";
import type { Clock } from "#std/clock";
import type { Endpoint } from "#std/listen";

/** A device that listens. */
export interface Simulation extends AsyncDisposable, Endpoint {
  /** Lets the time since the start of the simulation pass. */
  step?(seconds: number): void;
}

/** How a device is simulated. */
export interface SimulationOptions extends Endpoint {
  /** Whether a scale prints by itself, each second. */
  readonly unsolicited: boolean;
  readonly clock: Clock;
}

/** What can be simulated: `plc` speaks Modbus TCP, the others are behind a serial server. */
export const simulations = {
  plc: {
    port: 5020,
    open: ({ clock, ...at }: SimulationOptions): Promise<Simulation> =>
      openSimulator({ ...at, units: plant(), now: clock.now }),
  },
  scale: { port: 4001, open: simulateScale },
  gps: { port: 4002, open: simulateGps },
  meter: { port: 4003, open: simulateMeter },
} as const;

/** What lies on the scale, in grams: something else every ten seconds. */
const LOADS = [0, 120.5, 342.25, 80.1];
const LOAD_S = 10;
/** For so long after a change the weight moves. */
const SETTLE_S = 2;

async function simulateScale({ unsolicited, ...at }: SimulationOptions): Promise<Simulation> {
  const pan: Pan = { grams: 0, isStable: true };
  let load = 0;
  const simulator = await openSerialSimulator({ ...at, device: scale(pan) });
  return simulation(simulator, (seconds) => {
    const next = LOADS[Math.floor(seconds / LOAD_S) % LOADS.length] ?? 0;
    // By the difference, so that what was tared stays tared.
    pan.grams += next - load;
    load = next;
    pan.isStable = seconds % LOAD_S >= SETTLE_S;
    if (unsolicited) simulator.say(print(pan));
  });
}

const silent: SerialDevice = { answer: () => undefined };

/** A boat that goes round a buoy in ten minutes. */
async function simulateGps(at: SimulationOptions): Promise<Simulation> {
  const simulator = await openSerialSimulator({ ...at, device: silent });
  return simulation(simulator, (seconds) => {
    const angle = (2 * Math.PI * seconds) / 600;
    const [latitude, longitude] = [54.3 + 0.01 * Math.sin(angle), 10.2 + 0.01 * Math.cos(angle)];
    simulator.say(sentences({ latitude, longitude, metres: 3, knots: 12, satellites: 9 }));
  });
}

async function simulateMeter(at: SimulationOptions): Promise<Simulation> {
  const registers = new Map([
    ["F.F", "00"],
    ["0.0.0", "35260001"],
    ["1.8.0", ""],
    ["2.8.0", "000000.07*kWh"],
    ["1.7.0", ""],
  ]);
  const step = (seconds: number) => {
    const kilowatts = 0.6 + 0.3 * Math.sin(seconds / 30);
    registers.set("1.7.0", `${kilowatts.toFixed(3).padStart(6, "0")}*kW`);
    registers.set("1.8.0", `${(1_234.5 + (0.6 * seconds) / 3_600).toFixed(2).padStart(9, "0")}*kWh`);
  };
  step(0);
  return simulation(await openSerialSimulator({ ...at, device: meter(registers) }), step);
}

function simulation(simulator: SerialSimulator, step: (seconds: number) => void): Simulation {
  const { host, port } = simulator;
  return { host, port, step, [Symbol.asyncDispose]: () => simulator[Symbol.asyncDispose]() };
}
