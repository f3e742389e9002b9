/** 200 kills of a broker under load: `node --conditions=source test/bench/broker-kill.ts [kills]`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killAtRandom, killBroker } from "../unit/edge/broker/killed.ts";

const dataDir = mkdtempSync(join(tmpdir(), "skerry-kill-"));
try {
  console.log(await killBroker(dataDir, killAtRandom(Number(process.argv[2] ?? 200), 800)));
} finally {
  rmSync(dataDir, { recursive: true });
}
