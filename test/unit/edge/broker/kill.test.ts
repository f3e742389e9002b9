import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { killBroker } from "./killed.ts";

test("what was acknowledged survives kills at any moment; at QoS 2 nothing comes twice", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "kill-"));
  try {
    const report = await killBroker(dataDir, 10, 400);
    expect(report).toMatchObject({ missing: 0, doubledAtQos2: 0, outOfOrder: 0 });
    expect(report.acknowledged[0] + report.acknowledged[1]).toBeGreaterThan(20);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}, 60_000);
