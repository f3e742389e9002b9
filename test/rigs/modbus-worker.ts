/** A simulator on a thread of its own, so that a benchmark measures the driver and not both ends together. */
import { parentPort } from "node:worker_threads";
import { openSimulator } from "#drivers/modbus/simulator";
import { blankUnit } from "#drivers/modbus/unit";

const units = new Map([[1, blankUnit({ coil: 2000, discrete: 2000, input: 2000, holding: 2000 })]]);
const { port } = await openSimulator({ host: "127.0.0.1", port: 0, units });
parentPort?.postMessage(port);
