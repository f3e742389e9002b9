import type { Clock } from "#std/clock";

/** Where a command writes: a terminal, or a file or pipe. */
export interface Terminal {
  write(text: string): void;
  readonly isTty: boolean;
  /** Characters in a line; asked each time, because windows change. */
  readonly columns: number;
  readonly rows: number;
}

/** What a command may touch. `main.ts` makes it of the process, tests of fakes; commands import no globals. */
export interface World {
  /** Results, and nothing else. */
  readonly out: Terminal;
  /** What is not the result: progress, warnings, faults. */
  readonly err: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Folder of this package, where its examples are. */
  readonly root: string;
  readonly clock: Clock;
  /** Aborts at the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /**
   * Until what it returns is disposed, SIGHUP calls the listener instead of ending the process; a terminal that closes
   * ends it all the same.
   */
  onHangUp(listener: () => void): Disposable;
  /** Puts a question to the one at the terminal. Undefined when nobody is there. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
}

/** Writes a line of the result. */
export function print({ out }: Pick<World, "out">, line: string): void {
  out.write(`${line}\n`);
}

/** Writes a line that is not part of the result. */
export function remark({ err }: Pick<World, "err">, line: string): void {
  err.write(`${line}\n`);
}
