/** The package as others get it: packed, unpacked elsewhere, imported and run, without a line of TypeScript. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

const run = promisify(execFile);
const root = process.cwd();
/** Below node_modules, so that the packages that it depends on are found as after an install. */
const folder = join(root, "node_modules/.cache/package-test");
const installed = join(folder, "node_modules/skerry");

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  await run("npm", ["pack", "--pack-destination", folder], { cwd: root });
  const [tarball = ""] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  await run("tar", ["-xzf", join(folder, tarball), "-C", installed, "--strip-components=1"]);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the program runs", async () => {
  const { stdout } = await run(process.execPath, [join(installed, "bin/edgeadm"), "version"]);
  expect(stdout).toMatch(/^edgeadm \d+\.\d+\.\d+ /);
});

test("a driver of others can be written with it", async () => {
  const script = `
    import { Fault, duration, z } from "skerry/driver";
    import { virtual } from "skerry/drivers/virtual";
    import { modbus } from "skerry/drivers/modbus";
    console.log(new Fault("LINK_LOST", "gone").retry, z.strictObject({ every: duration() }).parse({ every: "2s" }).every);
    console.log(virtual().protocol, modbus().protocol);
  `;
  const path = join(folder, "driver.mjs");
  writeFileSync(path, script);
  const { stdout } = await run(process.execPath, [path]);
  expect(stdout).toBe("true 2000\nvirtual modbus\n");
});

test("a driver of others keeps the contract, under the runner that Node brings", async () => {
  const own = join(folder, "own-driver");
  cpSync(join(root, "examples/own-driver"), own, { recursive: true });
  const { stdout } = await run(process.execPath, ["--test", "--test-reporter=tap"], { cwd: own, env: plainEnv() });
  expect(stdout).toMatch(/^# pass 1[5-9]$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
}, 60_000);

/** Without what Node's runner would take for its parent's. */
function plainEnv(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
  return env;
}

test("nothing but its doors can be imported", async () => {
  const path = join(folder, "inside.mjs");
  writeFileSync(path, 'import "skerry/dist/src/edge/main.js";');
  await expect(run(process.execPath, [path])).rejects.toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

/** `node_modules` has the compiled code that the launcher keeps. */
test("what only this repository needs stays at home", () => {
  expect(
    readdirSync(installed)
      .filter((name) => name !== "node_modules")
      .sort(),
  ).toEqual(
    ["CHANGELOG.md", "LICENSE", "README.md", "bin", "charts", "dist", "docs", "examples", "package.json"].sort(),
  );
});
