import { expect, test } from "@jest/globals";
import { abortOnSignal } from "#cli/signals";

function rig() {
  const listeners = new Map<string, () => void>();
  const exits: number[] = [];
  let now = 1_000;
  const target = {
    on: (event: string, listener: () => void) => listeners.set(event, listener),
    exit: (code: number) => void exits.push(code),
  };
  const signal = abortOnSignal(target, () => now);
  return {
    signal,
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
