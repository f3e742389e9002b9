/**
 * What `npm start`, `npm test` and the other scripts call, on any Node from 20 on: installs the packages when they are
 * missing or not those of package-lock.json, then goes on with the Node that they bring along.
 *
 *   node scripts/bootstrap.mjs test [arguments for jest]     one of the tasks below
 *   node scripts/bootstrap.mjs run dev                       everything else goes to edgeadm
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { giveUp, mustFindNode, run, runProgram } from "../bin/launch.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [name = "", ...args] = process.argv.slice(2);

const sourceFlags = ["--conditions=source"];
const jestFlags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
const jestMain = "node_modules/jest/bin/jest.js";
const biome = "node_modules/@biomejs/biome/bin/biome";

const tasks = {
  test,
  "test:unit": () => node(...jestFlags, jestMain, "test/unit", ...args),
  typecheck,
  lint,
  format: () => node(biome, "check", "--write", ...args),
  docs: async () =>
    (await node(...sourceFlags, "scripts/crds.ts")) ||
    (await node(...sourceFlags, "scripts/driver-docs.ts")) ||
    node(...sourceFlags, "scripts/docs.ts"),
  build: () => node("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"),
  bench: () => node(...sourceFlags, "--expose-gc", "test/bench/main.ts", ...args),
};

if (!isInstalled()) await install();
const nodePath = mustFindNode(root);
const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
process.exitCode = task ? await task() : await runProgram(root, nodePath, process.argv.slice(2));

function node(...args) {
  return run(nodePath, args, { cwd: root });
}

function typecheck() {
  return node("node_modules/typescript/bin/tsc", "-p", ".");
}

function lint() {
  return node(biome, "check", ...args);
}

/** Types, lint, then every test; the last line counts them, a failed type check or lint as one each. */
async function test() {
  say("checking types");
  let failed = (await typecheck()) === 0 ? 0 : 1;
  say("checking style");
  failed += (await node(biome, "check")) === 0 ? 0 : 1;
  say("running tests");
  const folder = mkdtempSync(join(tmpdir(), "skerry-test-"));
  try {
    const outcome = join(folder, "outcome.json");
    const code = await node(...jestFlags, jestMain, "--json", `--outputFile=${outcome}`, ...args);
    const counts = existsSync(outcome) ? JSON.parse(readFileSync(outcome, "utf8")) : {};
    const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = counts;
    const broken = counts.numRuntimeErrorTestSuites ?? 0;
    // Jest can fail without a failed test, such as when a pattern matches nothing; that must not read as success.
    failed += Math.max(numFailedTests + broken, code === 0 ? 0 : 1);
    process.stdout.write(`${numPassedTests} passed, ${failed} failed, ${numPendingTests + numTodoTests} skipped\n`);
    return failed === 0 ? 0 : code || 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether node_modules holds what package-lock.json says. npm writes its own copy there when an install is complete. */
function isInstalled() {
  try {
    const wanted = packagesOf("package-lock.json");
    const present = packagesOf("node_modules/.package-lock.json");
    return Object.entries(wanted).every(([path, { version, optional }]) => {
      if (path === "") return true;
      return present[path] ? present[path].version === version : optional === true;
    });
  } catch {
    return false;
  }
}

function packagesOf(file) {
  return JSON.parse(readFileSync(join(root, file), "utf8")).packages;
}

async function install() {
  const began = Date.now();
  const why = existsSync(join(root, "node_modules")) ? "package-lock.json has changed" : "first start";
  const count = Object.values(packagesOf("package-lock.json")).filter(({ optional }) => !optional).length;
  say(`${why}: npm ci installs some ${count} packages, for about a minute`);
  const npm = process.env.npm_execpath;
  const ci = ["ci", "--ignore-scripts", "--loglevel=error"];
  let isInterrupted = false;
  const interrupt = () => {
    isInterrupted = true;
  };
  process.once("SIGINT", interrupt);
  // npm's report goes to standard error: standard output belongs to the task.
  const options = { cwd: root, stdio: ["inherit", process.stderr.fd, process.stderr.fd] };
  const code = await (npm?.endsWith("npm-cli.js")
    ? run(process.execPath, [npm, ...ci], options)
    : run("npm", ci, { ...options, shell: process.platform === "win32" })
  ).catch((error) => giveUp(`npm can not be started: ${error.message}`, "Install npm; it comes with Node."));
  process.off("SIGINT", interrupt);
  if (isInterrupted || code > 128) process.exit(isInterrupted ? 130 : code);
  if (code !== 0)
    giveUp(
      `npm ci ended with code ${code}; its own message is above`,
      "It needs the network to the npm registry and some 500 MB of disk. When that is mended, run the same again.",
    );
  say(`installed in ${Math.round((Date.now() - began) / 1000)} s`);
}

function say(text) {
  process.stderr.write(`skerry: ${text}\n`);
}
