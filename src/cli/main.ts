/** `edgeadm`: makes a world of the process and runs the command line in it. */
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { isatty } from "node:tty";
import { systemClock } from "#std/clock";
import { execute } from "./program.ts";
import { hearSignals } from "./signals.ts";
import type { Terminal, World } from "./world.ts";

/** Of somebody who prints to a pipe, and of a terminal that does not know its own width. */
const COLUMNS = 80;
const ROWS = 24;

const { stdin, stdout, stderr, env } = process;

// Whoever reads us may go away (`edgeadm device list | head -1`); that is their right and no bug.
for (const stream of [stdout, stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });

// A terminal that has closed is none any more; that is how its hangup differs from a signal of somebody.
const hasTerminal = stderr.isTTY === true;
const isLost = () => hasTerminal && !isatty(stderr.fd);
const signals = hearSignals(process, { now: systemClock.monotonic, isLost });

const world: World = {
  out: terminal(stdout),
  err: terminal(stderr),
  env,
  cwd: process.cwd(),
  root: findRoot(),
  clock: systemClock,
  signal: signals.end,
  onHangUp: signals.onHangUp,
  ask: stdin.isTTY && stderr.isTTY ? ask : undefined,
};

// The channel to the launcher is there to end, not to keep us.
process.channel?.unref();
process.exitCode = await execute(process.argv.slice(2), world);

function terminal(stream: NodeJS.WriteStream): Terminal {
  return {
    write: (text) => void stream.write(text),
    isTty: stream.isTTY === true,
    get columns() {
      return stream.columns || COLUMNS;
    },
    get rows() {
      return stream.rows || ROWS;
    },
  };
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    return await lines.question(question, { signal: world.signal });
  } finally {
    lines.close();
  }
}

/** The sources stand two folders below it, what is built from them three. */
function findRoot(): string {
  const above = dirname(dirname(import.meta.dirname));
  return above.endsWith("dist") ? dirname(above) : join(above);
}
