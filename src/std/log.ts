import { type Logger, pino } from "pino";

/** Facts of a log line; names come from the glossary, `error` takes whatever was thrown. */
export type Facts = Readonly<Record<string, unknown>>;

/** A constant phrase plus facts, so that lines can be counted and searched. */
export interface Log {
  debug(phrase: string, facts?: Facts): void;
  info(phrase: string, facts?: Facts): void;
  warn(phrase: string, facts?: Facts): void;
  error(phrase: string, facts?: Facts): void;
  /** The same log with facts that every line carries. */
  with(facts: Facts): Log;
}

export type Level = "debug" | "info" | "warn" | "error" | "silent";

export interface LogOptions {
  /** @default "info" */
  readonly level?: Level;
  /** Takes each JSON line. @default standard error, because standard output belongs to the command. */
  readonly write?: (line: string) => void;
}

/** Opens a log of JSON lines. */
export function openLog({ level = "info", write = (line) => process.stderr.write(line) }: LogOptions = {}): Log {
  const options = { level, base: null, serializers: { error: describe } };
  return wrap(pino(options, { write }));
}

/** A log that says nothing. */
export const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };

function wrap(logger: Logger): Log {
  return {
    debug: (phrase, facts) => logger.debug(facts, phrase),
    info: (phrase, facts) => logger.info(facts, phrase),
    warn: (phrase, facts) => logger.warn(facts, phrase),
    error: (phrase, facts) => logger.error(facts, phrase),
    with: (facts) => wrap(logger.child(facts)),
  };
}

/** Expected faults in one line, bugs with their stack. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (!("code" in error) || typeof error.code !== "string") return error.stack ?? error.message;
  const cause = error.cause instanceof Error ? { cause: error.cause.message } : {};
  return { code: error.code, message: error.message, ...cause };
}
