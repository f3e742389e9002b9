import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type Broker, openBroker } from "#edge/broker/broker";
import { silent } from "#std/log";
import { folder } from "../../../rigs/folder.ts";
import { join, openRaw, type Raw } from "./raw.ts";
import { type Bench, statements } from "./statements.ts";

let dir: ReturnType<typeof folder>;
let broker: Broker;
let raws: Raw[];

const open = () => openBroker({ host: "127.0.0.1", port: 0, log: silent, dataDir: dir.path });
const held = (raw: Raw) => {
  raws.push(raw);
  return raw;
};
const bench: Bench = {
  get broker() {
    return broker;
  },
  client: async (name, ...filters) =>
    held(await join(broker.port, typeof name === "string" ? { client: name } : name, ...filters)),
  raw: async () => held(await openRaw(broker.port)),
  async restart() {
    await broker[Symbol.asyncDispose]();
    broker = await open();
  },
};

beforeEach(async () => {
  dir = folder();
  raws = [];
  broker = await open();
});
afterEach(async () => {
  for (const { socket } of raws) socket.destroy();
  await broker[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

test.each(statements.map(({ clause, says }, i) => [clause, says, i] as const))(
  "[%s] %s",
  async (_clause, _says, i) => {
    await statements[i]?.seen(bench);
    expect(broker.port).toBeGreaterThan(0); // it still serves
  },
  60_000,
);
