import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { listen } from "#std/listen";
import { admitInTurn } from "#wire/admission";
import { Budget } from "#wire/budget";
import { eventually } from "../../rigs/eventually.ts";

test("those who come at once are let in a few in each turn of the loop, in their order, and none is forgotten", async () => {
  const began: { readonly port: number; readonly turn: number }[] = [];
  let turn = 0;
  let isOver = false;
  const count = () => {
    turn++;
    if (!isOver) setImmediate(count);
  };
  const server = createServer((socket) => {
    began.push({ port: socket.remotePort ?? 0, turn });
    socket.on("data", (bytes) => socket.end(bytes));
  });
  admitInTurn(server);
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the test");
  count();
  const sockets: Socket[] = [];
  for (let i = 0; i < 60; i++) {
    const socket = connect(port, "127.0.0.1");
    // What was said before the turn came is not lost.
    socket.write(`${i}`);
    sockets.push(socket);
  }
  const answers = await Promise.all(sockets.map(async (socket) => String((await once(socket, "data"))[0])));
  isOver = true;
  expect(answers).toEqual(sockets.map((_, i) => `${i}`));
  const most = Math.max(
    ...Map.groupBy(began, ({ turn }) => turn)
      .values()
      .map((all) => all.length),
  );
  expect(most).toBeLessThanOrEqual(8);
  for (const socket of sockets) socket.destroy();
  server.close();
});

test("who goes while it waits costs nobody a turn", async () => {
  let begun = 0;
  const server = createServer(() => void begun++);
  admitInTurn(server);
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the test");
  const sockets = Array.from({ length: 40 }, () => connect(port, "127.0.0.1"));
  for (const socket of sockets.slice(0, 20)) socket.destroy();
  await eventually(() => begun >= 20);
  for (const socket of sockets) socket.destroy();
  server.close();
});

test("an end does not wait for those who say nothing", async () => {
  const server = createServer(() => {});
  const admission = admitInTurn(server);
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the test");
  const silent = connect(port, "127.0.0.1");
  const ended = once(silent, "close");
  await once(silent, "connect");
  await eventually(() => new Promise<boolean>((resolve) => server.getConnections((_, count) => resolve(count === 1))));
  server.close();
  admission[Symbol.dispose]();
  await Promise.all([ended, once(server, "close")]);
});

test("a budget is full above its limit, and whoever is held goes on when half of it is free", () => {
  const budget = new Budget(100);
  const gone: string[] = [];
  budget.add(100);
  expect(budget.isFull).toBe(false);
  budget.add(1);
  expect(budget.isFull).toBe(true);
  const go = () => gone.push("a");
  budget.hold(go);
  budget.hold(go);
  budget.hold(() => gone.push("b"));
  budget.free(50);
  expect(gone).toEqual([]);
  budget.free(1);
  expect(gone).toEqual(["a", "b"]);
  budget.free(50);
  expect(gone).toEqual(["a", "b"]);
});
