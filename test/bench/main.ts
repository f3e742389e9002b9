import { benchPipeline } from "./pipeline.ts";

for (const units of [1, 10]) console.log(units, await benchPipeline(units, 8000));
