import { constants } from "node:os";

/** The part of the process that this needs. */
export interface Signalled {
  on(event: "SIGINT" | "SIGTERM" | "SIGHUP" | "disconnect", listener: () => void): unknown;
  exit(code: number): void;
}

/**
 * One press of Ctrl-C may arrive several times: from the terminal, from npm and from our launcher, which all pass it on.
 * What comes within this time is the same press.
 */
const SAME_PRESS_MS = 300;

/** Turns the first signal, or the end of our launcher, into an abort. A second signal ends the process at once. */
export function abortOnSignal(target: Signalled, now: () => number): AbortSignal {
  const end = new AbortController();
  let first: number | undefined;
  const abort = (why: string) => end.abort(new DOMException(`ended by ${why}`, "AbortError"));
  const hear = (name: "SIGINT" | "SIGTERM" | "SIGHUP") => () => {
    if (first !== undefined && now() - first >= SAME_PRESS_MS) target.exit(128 + constants.signals[name]);
    first ??= now();
    abort(name);
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) target.on(name, hear(name));
  target.on("disconnect", () => abort("its launcher"));
  return end.signal;
}
