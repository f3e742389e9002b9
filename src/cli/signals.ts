import { constants } from "node:os";

/** The part of the process that this needs. */
export interface Signalled {
  on(event: "SIGINT" | "SIGTERM" | "SIGHUP" | "disconnect", listener: () => void): unknown;
  exit(code: number): void;
}

export interface SignalPorts {
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** True when the terminal that the process was started from has closed. */
  readonly isLost: () => boolean;
}

/** What the process is told from outside. */
export interface Signals {
  /** Aborts at the first signal, or the end of our launcher. A second signal ends the process at once. */
  readonly end: AbortSignal;
  /** While somebody listens, SIGHUP is for him, unless it says that the terminal has closed. */
  readonly onHangUp: (listener: () => void) => Disposable;
}

/**
 * One press of Ctrl-C may arrive several times: from the terminal, from npm and from our launcher, which all pass it on.
 * What comes within this time is the same press.
 */
const SAME_PRESS_MS = 300;

/** Listens to the signals of the process. */
export function hearSignals(target: Signalled, { now, isLost }: SignalPorts): Signals {
  const end = new AbortController();
  let first: number | undefined;
  let hangUp: (() => void) | undefined;
  const abort = (why: string) => end.abort(new DOMException(`ended by ${why}`, "AbortError"));
  const hear = (name: "SIGINT" | "SIGTERM" | "SIGHUP") => () => {
    if (name === "SIGHUP" && hangUp && !isLost()) return hangUp();
    if (first !== undefined && now() - first >= SAME_PRESS_MS) target.exit(128 + constants.signals[name]);
    first ??= now();
    abort(name);
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) target.on(name, hear(name));
  target.on("disconnect", () => abort("its launcher"));
  return {
    end: end.signal,
    onHangUp(listener) {
      hangUp = listener;
      return {
        [Symbol.dispose]: () => {
          hangUp = undefined;
        },
      };
    },
  };
}
