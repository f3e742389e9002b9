/** Ten times what fits, beside what fits: `node --conditions=source test/bench/overload.ts [seconds]`. */
import { whyNoShim } from "../rigs/faults/shim.ts";
import { runOverload } from "../rigs/overload.ts";

const seconds = Number(process.argv[2] ?? 60);
const once = await runOverload({ devices: 3, seconds });
const tenfold = await runOverload({ devices: 30, seconds });
const slow = whyNoShim() === undefined ? await runOverload({ devices: 30, seconds, syncMs: 500 }) : undefined;
const memoryRatio = tenfold.peakMiB / once.peakMiB;
console.log({ once, tenfold, slow, memoryRatio });
const wrong = [once, tenfold, slow].flatMap((run) => (run ? [run.unaccounted, run.doubled, run.unexplained] : []));
process.exitCode = memoryRatio > 1.5 || wrong.some((count) => count !== 0) ? 1 : 0;
