import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import WebSocket from "ws";
import { listen } from "#std/listen";
import { silent } from "#std/log";
import { type Carrier, dial, openCarrierServer } from "#wire/carrier";
import { eventually } from "../../rigs/eventually.ts";
import { freePort } from "../../rigs/free-port.ts";
import { papers } from "../../rigs/tls.ts";

const ours = await papers();
const theirs = await papers("somebody else");
const signal = new AbortController().signal;
const taken: Carrier[] = [];
let server: Awaited<ReturnType<typeof openCarrierServer>>;
let url = "";

beforeAll(async () => {
  const options = { host: "127.0.0.1", port: 0, tls: ours.cloud, log: silent };
  server = await openCarrierServer(options, (carrier) => taken.push(carrier));
  url = `wss://127.0.0.1:${server.port}`;
});
afterAll(async () => server[Symbol.asyncDispose]());

/** Both ends of a fresh connection. */
async function connected(node = "site-a"): Promise<readonly [edge: Carrier, cloud: Carrier]> {
  const before = taken.length;
  const edge = await dial(url, await ours.node(node), signal);
  return [edge, await eventually(() => taken[before])];
}

const text = (frame: Uint8Array) => Buffer.from(frame).toString();

test("frames arrive in order, both ways", async () => {
  const [edge, cloud] = await connected();
  const sent = Array.from({ length: 2000 }, (_, i) => `${i}`);
  for (const one of sent) {
    edge.send(Buffer.from(one));
    cloud.send(Buffer.from(one));
  }
  edge.close("done");
  const heard = (await Array.fromAsync(cloud.frames)).map(text);
  expect(heard).toEqual(sent);
  expect((await Array.fromAsync(edge.frames)).map(text)).toEqual(sent);
});

test("who is on the other side says the certificate", async () => {
  const [edge, cloud] = await connected("site-b");
  expect(cloud.peer).toBe("site-b");
  edge.close("done");
});

test("when one side goes, the other one's frames end", async () => {
  const [edge, cloud] = await connected();
  cloud.close("enough");
  expect(await Array.fromAsync(edge.frames)).toEqual([]);
  edge.send(Buffer.from("into the void"));
});

test("a frame over the limit costs the connection", async () => {
  const [edge, cloud] = await connected();
  edge.send(new Uint8Array(4 * 1024 * 1024 + 1));
  expect(await Array.fromAsync(cloud.frames)).toEqual([]);
  edge.close("done");
});

describe("nobody gets in", () => {
  test("with a certificate of another authority", async () => {
    const count = taken.length;
    const stranger = { ...(await theirs.node("site-a")), authority: ours.authority };
    await expect(talk(stranger)).rejects.toMatchObject({ code: expect.stringMatching(/IDENTITY_REFUSED|UPLINK_LOST/) });
    expect(taken).toHaveLength(count);
  });

  test("without a certificate, without our protocol, or with TLS 1.2", async () => {
    const count = taken.length;
    const { certificate, key } = await ours.node("site-a");
    const refused = async (protocol: string, options: WebSocket.ClientOptions) => {
      const socket = new WebSocket(url, protocol, { ca: ours.authority, ...options });
      const [event] = await Promise.race([once(socket, "error"), once(socket, "close").then(() => ["closed"])]);
      socket.terminate();
      return event;
    };
    expect(await refused("skerry.v1", {})).toBeDefined();
    expect(await refused("other", { cert: certificate, key })).toBeDefined();
    expect(await refused("skerry.v1", { cert: certificate, key, maxVersion: "TLSv1.2" })).toBeDefined();
    expect(taken).toHaveLength(count);
  });

  async function talk(tls: Awaited<ReturnType<typeof theirs.node>>): Promise<void> {
    const carrier = await dial(url, tls, signal);
    await Array.fromAsync(carrier.frames);
  }
});

describe("dialling", () => {
  test("a cloud of another authority is refused", async () => {
    const stranger = { ...(await ours.node("site-a")), authority: theirs.authority };
    await expect(dial(url, stranger, signal)).rejects.toMatchObject({ code: "IDENTITY_REFUSED" });
  });

  test("where nobody listens is a lost uplink that says where", async () => {
    const nowhere = `wss://127.0.0.1:${await freePort()}`;
    const dialled = dial(nowhere, await ours.node("site-a"), signal);
    await expect(dialled).rejects.toMatchObject({ code: "UPLINK_LOST", message: expect.stringContaining(nowhere) });
  });

  test("ends with its signal, also when the other side says nothing", async () => {
    const deaf = createServer(() => undefined);
    const { port } = await listen(deaf, { host: "127.0.0.1", port: 0 }, "a deaf server");
    const stop = new AbortController();
    const dialled = dial(`wss://127.0.0.1:${port}`, await ours.node("site-a"), stop.signal);
    await once(deaf, "connection");
    stop.abort(new Error("node stops"));
    await expect(dialled).rejects.toThrow("node stops");
    deaf.close();
  });
});
