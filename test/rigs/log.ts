import type { Facts, Level, Log } from "#std/log";

export interface Line {
  readonly level: Level;
  readonly phrase: string;
  readonly facts: Facts;
}

/** A log that keeps what it was told. */
export interface KeptLog extends Log {
  readonly lines: readonly Line[];
  /** The facts of every line with this phrase. */
  of(phrase: string): readonly Facts[];
}

export function keptLog(): KeptLog {
  const lines: Line[] = [];
  const make = (always: Facts): Log => {
    const at =
      (level: Level) =>
      (phrase: string, facts: Facts = {}) =>
        lines.push({ level, phrase, facts: { ...always, ...facts } });
    const [debug, info, warn, error] = [at("debug"), at("info"), at("warn"), at("error")];
    return { debug, info, warn, error, with: (facts) => make({ ...always, ...facts }) };
  };
  const of = (phrase: string) => lines.filter((line) => line.phrase === phrase).map(({ facts }) => facts);
  return { ...make({}), lines, of };
}
