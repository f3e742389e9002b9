import { createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { greeters } from "#cloud/telemetry/nats/greeting";
import { listen } from "#std/listen";
import { eventually } from "../../rigs/eventually.ts";
import { freePort } from "../../rigs/free-port.ts";

const TIMEOUT_MS = 200;
const open = new Set<Socket>();
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
  for (const socket of open) socket.destroy();
});

/** Something that listens, and says one thing to whoever comes. */
async function server(greet: (socket: Socket) => void): Promise<string> {
  const listener = createServer((socket) => {
    open.add(socket.on("close", () => open.delete(socket)).on("error", () => {}));
    greet(socket);
  });
  closing.push(() => void listener.close());
  const { port } = await listen(listener, { host: "127.0.0.1", port: 0 }, "the rig");
  return `nats://127.0.0.1:${port}`;
}

test("a server that says INFO is one, whatever the others say", async () => {
  const nats = await server((socket) => socket.write('INFO {"server_id":"a"} \r\n'));
  const silent = await server(() => {});
  expect(await greeters([silent, nats], TIMEOUT_MS)).toEqual([nats]);
});

test.each<[string, (socket: Socket) => void]>([
  ["it said nothing for 200 ms", () => {}],
  ["it closed without a word", (socket) => socket.end()],
  ["it is no NATS server", (socket) => socket.write("+OK Dovecot ready.\r\n")],
])("a server is not shown to the client when %s, and no connection to it stays open", async (why, greet) => {
  const url = await server((socket) => greet(socket.resume()));
  await expect(greeters([url], TIMEOUT_MS)).rejects.toMatchObject({
    code: "TELEMETRY_UNREACHABLE",
    message: `${url} does not greet: ${why}`,
  });
  await eventually(() => open.size === 0);
});

test("servers that are not there are each named", async () => {
  const urls = [`nats://127.0.0.1:${await freePort()}`, `nats://127.0.0.1:${await freePort()}`];
  await expect(greeters(urls, TIMEOUT_MS)).rejects.toThrow(
    /:\d+ does not greet: connect ECONNREFUSED.*; .*ECONNREFUSED/,
  );
});
