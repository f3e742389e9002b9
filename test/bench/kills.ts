/** 200 random kills under 2,000 values a second: `node --conditions=source test/bench/kills.ts [kills] [seed]`. */
import { runKills } from "../rigs/kills.ts";

const [kills = 200, seed = 1] = process.argv.slice(2).map(Number);
const progress = (kill: number) => {
  if (kill % 10 === 0) console.error(`${kill} kills`);
};
const figures = await runKills({ kills, devices: 10, values: 20, seed, progress });
console.log(figures);
const { missing, doubled, disordered, unexplained } = figures;
process.exitCode = missing + doubled + disordered + unexplained > 0 ? 1 : 0;
