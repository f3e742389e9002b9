import { expect, test } from "@jest/globals";
import { openHost } from "#drivers/opcua/host";
import { PATIENCE } from "#drivers/opcua/line";
import { server } from "#drivers/opcua/schema";

const forever = new AbortController().signal;
const call = {
  do: "connect",
  link: server.parse({ endpoint: "opc.tcp://plc:4840" }),
  identityDir: undefined,
  decisions: [],
  patience: PATIENCE,
} as const;

/** A thread that opens and closes every connection, and does what `script` says with the rest. */
function entry(script: string): URL {
  const start = "import { parentPort } from 'node:worker_threads';";
  return new URL(
    `data:text/javascript,${encodeURIComponent(`${start} parentPort.on('message', (m) => { ${script} })`)}`,
  );
}
const opens =
  "if (m.do === 'connect' || m.do === 'close') return parentPort.postMessage({ id: m.id, ok: true, value: 1 });";

test("what the stack throws costs its links and not the process, and the next connect starts anew", async () => {
  const host = openHost({ entry: entry(`${opens} setTimeout(() => { throw new Error('assertion of the stack') });`) });
  for (let round = 0; round < 2; round++) {
    const connection = await host.open(call, forever);
    const other = await host.open(call, forever);
    const reading = connection.read({} as never, [], forever);
    await expect(reading).rejects.toMatchObject({ code: "LINK_LOST", message: expect.stringContaining("assertion") });
    await expect(other.read({} as never, [], forever)).rejects.toMatchObject({ code: "LINK_LOST" });
    for (const closing of [connection, other]) await closing[Symbol.asyncDispose]();
  }
});

test("a fault comes back with its code, message and detail", async () => {
  const fault = "{ code: 'VALUE_INVALID', message: 'too hot', detail: '{\"limit\":5}' }";
  const host = openHost({ entry: entry(`${opens} parentPort.postMessage({ id: m.id, ok: false, fault: ${fault} });`) });
  const connection = await host.open(call, forever);
  await expect(connection.write({} as never, {} as never, 1, forever)).rejects.toMatchObject({
    code: "VALUE_INVALID",
    message: "too hot",
    detail: { limit: 5 },
  });
  await connection[Symbol.asyncDispose]();
});

test("a thread that hangs rejects with the signal's reason, and is ended", async () => {
  const host = openHost({ entry: entry(`${opens} if (m.do === 'read') for (;;);`), hangMs: 100 });
  const connection = await host.open(call, forever);
  const writing = connection.write({} as never, {} as never, 1, forever);
  const stop = new AbortController();
  const reading = connection.read({} as never, [], stop.signal);
  const reason = new Error("enough");
  stop.abort(reason);
  await expect(reading).rejects.toBe(reason);
  await expect(writing).rejects.toMatchObject({ code: "LINK_LOST", message: expect.stringContaining("hangs") });
  const again = await host.open(call, forever);
  await again[Symbol.asyncDispose]();
});
