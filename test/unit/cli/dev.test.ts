import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseDevConfig } from "#cli/dev/config";
import { type DevState, pictureLines, statusText } from "#cli/dev/picture";
import { execute } from "#cli/program";
import { fakeWorld } from "./fake-world.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skerry-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the configuration of run dev", () => {
  test("has a default for everything", () => {
    expect(parseDevConfig("", "dev.yaml", [])).toMatchObject({ node: "site-a", ports: { mqtt: 1883, plc: 5020 } });
  });

  test("takes ports from the file, and from the command line before that", () => {
    const { ports } = parseDevConfig("ports: { mqtt: 1, edge: 2 }", "dev.yaml", ["edge=3", "plc=0"]);
    expect(ports).toMatchObject({ mqtt: 1, edge: 3, plc: 0, registry: 6440 });
  });

  test.each([
    ["ports: { mqt: 1 }", "dev.yaml: ports.mqt: unknown field"],
    ["ports: { mqtt: 70000 }", "dev.yaml: ports.mqtt: "],
    ["ports: [", "dev.yaml:1:"],
    ["node: Site A", "dev.yaml: node: lower-case letters"],
  ])("%s is told by its place", (text, message) => {
    expect(() => parseDevConfig(text, "dev.yaml", [])).toThrow(message);
  });
});

describe("reset", () => {
  test("asks, and takes anything but yes for no", async () => {
    writeFileSync(join(folder, "dev.json"), "{}");
    const world = fakeWorld({ cwd: folder, ask: async () => "" });
    expect(await execute(["reset", "--dev", "--data-dir", "."], world)).toBe(0);
    expect(world.said.out).toBe("nothing removed\n");
  });

  test("says that what is there is no folder of data", async () => {
    writeFileSync(join(folder, "file"), "");
    const world = fakeWorld({ cwd: folder });
    expect(await execute(["reset", "--dev", "--data-dir", "file"], world)).toBe(1);
    expect(world.said.err).toMatch(/^edgeadm: the data directory .*file can not be used: it is a file\nhint: /);
  });

  test("does not guess when nobody is there to ask", async () => {
    writeFileSync(join(folder, "dev.json"), "{}");
    const world = fakeWorld({ cwd: folder });
    expect(await execute(["reset", "--dev", "--data-dir", "."], world)).toBe(2);
    expect(world.said.err).toContain("hint: Give --yes.");
  });

  test("does not touch a folder that is not its own", async () => {
    writeFileSync(join(folder, "thesis.tex"), "");
    const world = fakeWorld({ cwd: folder });
    expect(await execute(["reset", "--dev", "--yes", "--data-dir", "."], world)).toBe(2);
    expect(world.said.err).toContain("was not made by edgeadm run dev");
  });
});

describe("the picture", () => {
  const property = { name: "temperature", reported: 21.437_512, at: 9_000, quality: "good" as const };
  const state: DevState = {
    node: "site-a",
    uplink: { online: false, since: 4_000, reason: "connection refused" },
    backlog: 12,
    values: 99,
    devices: [
      {
        uid: "1",
        name: "boiler-1",
        namespace: "default",
        generation: 1,
        modelGeneration: 1,
        online: true,
        reason: "Answering",
        message: "",
        lastSeen: 9_500,
        properties: [property, { ...property, name: "pressure", quality: "bad", reason: "it is silent" }],
        units: { temperature: "Cel" },
      },
    ],
  };

  test("shows link, value, unit, quality and age, and why the uplink is down", () => {
    const text = pictureLines(state, { nowMs: 12_000, hasColor: false }).join("\n");
    expect(text).toContain("site-a  ○ uplink down 8s: connection refused   1/1 devices   99 values   12 rows wait");
    expect(text).toMatch(/boiler-1 +up +2s +temperature +21\.4375 +Cel +good +3s/);
    expect(text).not.toContain("\x1b");
  });

  test("paints what is bad", () => {
    const lines = pictureLines(state, { nowMs: 12_000, hasColor: true });
    const pressure = lines.find((line) => line.includes("pressure"));
    expect([pressure?.startsWith("\x1b[31m"), pressure?.endsWith("\x1b[0m")]).toEqual([true, true]);
    expect(lines.find((line) => line.includes("temperature"))).not.toContain("\x1b");
  });

  test("is one line in a pipe", () => {
    expect(statusText(state)).toBe(
      "site-a: uplink down (connection refused), 1 of 1 devices answer, 99 values read, 12 rows wait",
    );
  });
});
