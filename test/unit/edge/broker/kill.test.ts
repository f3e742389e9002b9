import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { eventually } from "../../../rigs/eventually.ts";
import { killAtRandom, killBroker, startBroker } from "./killed.ts";
import { join as joinBroker } from "./raw.ts";

test("what was acknowledged survives kills at any moment; at QoS 2 nothing comes twice", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "kill-"));
  try {
    const report = await killBroker(dataDir, killAtRandom(10, 800));
    expect(report).toMatchObject({ missing: 0, doubledAtQos2: 0, outOfOrder: 0 });
    expect(report.acknowledged[0] + report.acknowledged[1]).toBeGreaterThan(20);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}, 60_000);

test("a client that was connected when the node was killed has its will published by the next", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "kill-"));
  try {
    const first = await startBroker(dataDir);
    const will = { topic: "will", qos: 1, retain: true };
    // One that is taken over leaves its will at once, and nothing on the disk.
    await joinBroker(first.port, { client: "c", will: { ...will, text: "taken over" } });
    using client = await joinBroker(first.port, { client: "c", will: { ...will, text: "gone" } });
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    await client.closed();
    const second = await startBroker(dataDir);
    using reader = await joinBroker(second.port, { client: "r" }, ["will", 1]);
    await eventually(() => reader.messages.length === 1);
    expect(reader.messages[0]).toMatchObject({ text: "gone", retain: true });
    second.child.kill("SIGKILL");
    await once(second.child, "exit");
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}, 30_000);
