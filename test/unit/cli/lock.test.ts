import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { isLocked, lock } from "#cli/lock";
import { execute } from "#cli/program";
import { fakeWorld } from "./fake-world.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skerry-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the lock of a data directory", () => {
  test("is held once, until it is let go", () => {
    const held = lock(folder);
    expect(isLocked(folder)).toBe(true);
    expect(() => lock(folder)).toThrow(`in use by process ${process.pid}`);
    held[Symbol.dispose]();
    expect(isLocked(folder)).toBe(false);
    lock(folder)[Symbol.dispose]();
  });

  test("is let go by a process that is killed, whatever number it left behind", async () => {
    const hold = `import("#cli/lock").then(({ lock }) => {
      globalThis.held = lock(${JSON.stringify(folder)});
      console.log("held");
      setInterval(() => {}, 1000);
    })`;
    const holder = spawn(process.execPath, ["--conditions=source", "-e", hold], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    expect(() => lock(folder)).toThrow(`in use by process ${holder.pid}`);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    writeFileSync(join(folder, "edgeadm.pid"), `${process.pid}\n`);
    expect(isLocked(folder)).toBe(false);
    lock(folder)[Symbol.dispose]();
  });

  test("is not made by asking for it", () => {
    expect(isLocked(folder)).toBe(false);
    expect(existsSync(join(folder, "edgeadm.lock"))).toBe(false);
  });
});

describe("a second process with the data directory of a first", () => {
  test.each(["edge", "cloud"])("is no %s: it does not start, and says which process to stop", async (role) => {
    using _ = lock(folder);
    const hosts = role === "cloud" ? "\nhosts: [127.0.0.1]\nregistry: { port: 0 }" : "";
    writeFileSync(join(folder, "role.yaml"), `dataDir: .${hosts}\n`);
    const world = fakeWorld({ cwd: folder });
    expect(await execute(["run", role, "--config", "role.yaml"], world)).toBe(1);
    expect(world.said.err).toContain(`is in use by process ${process.pid}`);
    expect(world.said.err).toContain(`kill ${process.pid}`);
  });
});
