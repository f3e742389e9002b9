import type { Terminal, World } from "#cli/world";
import { systemClock } from "#std/clock";

/** A world that remembers what was written. */
export interface FakeWorld extends World {
  readonly said: { readonly out: string; readonly err: string };
  /** Ctrl-C. */
  interrupt(): void;
}

export type FakeOptions = Partial<Pick<World, "env" | "cwd" | "root" | "ask">> & {
  readonly isTty?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/** A world of fakes; what a test does not care about has a default. */
export function fakeWorld(options: FakeOptions = {}): FakeWorld {
  const { env = {}, cwd = "/nowhere", root = process.cwd(), ask, isTty = false, columns = 100, rows = 40 } = options;
  const said = { out: "", err: "" };
  const end = new AbortController();
  const terminal = (name: "out" | "err"): Terminal => ({
    write: (text) => {
      said[name] += text;
    },
    isTty,
    columns,
    rows,
  });
  return {
    out: terminal("out"),
    err: terminal("err"),
    env,
    cwd,
    root,
    clock: systemClock,
    signal: end.signal,
    onHangUp: () => ({ [Symbol.dispose]() {} }),
    ask,
    said,
    interrupt: () => end.abort(new DOMException("ended by SIGINT", "AbortError")),
  };
}
