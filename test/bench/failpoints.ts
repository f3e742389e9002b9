/** Ends at every commit and every send: `node --conditions=source test/bench/failpoints.ts [stride]`. */
import { runFailpoints } from "../rigs/failpoints.ts";
import { whyNoShim } from "../rigs/faults/shim.ts";

const reason = whyNoShim();
if (reason) throw new Error(reason);
const figures = await runFailpoints({ stride: Number(process.argv[2] ?? 1), progress: (end) => console.error(end) });
console.log(figures);
const { missing, doubled, disordered, unexplained, ends } = figures;
process.exitCode = missing + doubled + disordered + unexplained + ends.never > 0 ? 1 : 0;
