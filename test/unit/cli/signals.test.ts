import { expect, test } from "@jest/globals";
import { hearSignals } from "#cli/signals";

function rig() {
  const listeners = new Map<string, () => void>();
  const exits: number[] = [];
  let now = 1_000;
  const target = {
    on: (event: string, listener: () => void) => listeners.set(event, listener),
    exit: (code: number) => void exits.push(code),
  };
  let isLost = false;
  const { end: signal, onHangUp } = hearSignals(target, { now: () => now, isLost: () => isLost });
  return {
    signal,
    onHangUp,
    closeTerminal: () => {
      isLost = true;
    },
    exits,
    send: (event: string) => listeners.get(event)?.(),
    later: (ms: number) => {
      now += ms;
    },
  };
}

test("the first signal ends the work in order", () => {
  const { signal, exits, send } = rig();
  send("SIGTERM");
  expect(signal.aborted).toBe(true);
  expect(exits).toEqual([]);
});

test("one press of Ctrl-C that arrives three times is one press", () => {
  const { exits, send, later } = rig();
  send("SIGINT");
  later(5);
  send("SIGINT");
  later(20);
  send("SIGINT");
  expect(exits).toEqual([]);
});

test("a second press ends the process at once, with 130", () => {
  const { exits, send, later } = rig();
  send("SIGINT");
  later(400);
  send("SIGINT");
  expect(exits).toEqual([130]);
});

test("when the launcher is killed, the program does not stay behind", () => {
  const { signal, exits, send } = rig();
  send("disconnect");
  expect(signal.aborted).toBe(true);
  expect(exits).toEqual([]);
});

test("SIGHUP ends the work, unless somebody takes it for a word to read the configuration again", () => {
  const { signal, onHangUp, send } = rig();
  let heard = 0;
  {
    using _ = onHangUp(() => heard++);
    send("SIGHUP");
    send("SIGHUP");
    expect([heard, signal.aborted]).toEqual([2, false]);
  }
  send("SIGHUP");
  expect([heard, signal.aborted]).toEqual([2, true]);
});

test("a terminal that closes ends the work, whoever listens", () => {
  const { signal, onHangUp, closeTerminal, send } = rig();
  using _ = onHangUp(() => {
    throw new Error("nobody asked for this");
  });
  closeTerminal();
  send("SIGHUP");
  expect(signal.aborted).toBe(true);
});
