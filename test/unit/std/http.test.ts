import { createServer } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { Fault } from "#std/fault";
import { type HttpServer, openHttp } from "#std/http";
import { listen } from "#std/listen";
import { silent } from "#std/log";
import { openHttpClient } from "#std/undici";
import { createAuthority, issue } from "#std/x509";
import { keptLog } from "../../rigs/log.ts";

const here = { host: "127.0.0.1", port: 0, what: "the test API", log: silent };
const signal = new AbortController().signal;

async function ask(server: HttpServer, path: string, rest: RequestInit = {}) {
  const answer = await fetch(server.url + path, rest);
  const type = answer.headers.get("content-type") ?? "";
  return { status: answer.status, type, body: (await answer.json()) as Record<string, unknown> };
}

function breaking(error: unknown, log = silent): Promise<HttpServer> {
  return openHttp({ ...here, log }, (app) => {
    app.get("/", async () => {
      throw error;
    });
    app.post("/", async ({ body }) => body);
  });
}

test("a fault answers as problem+json with code, hint and problems", async () => {
  const problems = [{ path: "value", message: "unknown field" }];
  await using server = await breaking(new Fault("DEVICE_UNKNOWN", "there is no boiler-9", { problems, secret: "x" }));
  const { status, type, body } = await ask(server, "/");
  expect([status, type]).toEqual([404, expect.stringContaining("application/problem+json")]);
  expect(body).toEqual({
    status: 404,
    title: "there is no boiler-9",
    code: "DEVICE_UNKNOWN",
    hint: "List the devices with: edgeadm device list",
    instance: "/",
    problems,
  });
});

test.each([
  ["VALUE_OUT_OF_RANGE", 400],
  ["TOKEN_INVALID", 401],
  ["IDENTITY_REFUSED", 403],
  ["OVERLOADED", 429],
  ["UPLINK_LOST", 503],
  ["DISK_FULL", 507],
] as const)("the fault %s answers %d", async (code, status) => {
  const log = keptLog();
  await using server = await breaking(new Fault(code, "so it is"), log);
  expect((await ask(server, "/")).status).toBe(status);
  expect(log.of("request broke")).toEqual([]);
});

test("a bug answers 500, keeps its message to itself and is logged", async () => {
  const log = keptLog();
  await using server = await breaking(new TypeError("password of undefined"), log);
  const { status, body } = await ask(server, "/");
  expect(status).toBe(500);
  expect(JSON.stringify(body)).not.toContain("password");
  expect(log.of("request broke")).toMatchObject([{ path: "/" }]);
});

test("what is not served, not JSON or too big is said so", async () => {
  await using server = await openHttp({ ...here, bodyLimitBytes: 100 }, (app) => {
    app.post("/", async ({ body }) => body);
  });
  const post = (body: string, type = "application/json") =>
    ask(server, "/", { method: "POST", body, headers: { "content-type": type } });
  expect(await ask(server, "/nothing")).toMatchObject({ status: 404, type: expect.stringContaining("problem+json") });
  expect((await post("{")).status).toBe(400);
  expect((await post("a", "application/xml")).status).toBe(415);
  expect((await post(JSON.stringify("x".repeat(101)))).status).toBe(413);
  expect((await post('{"a":1}')).body).toEqual({ a: 1 });
});

test("a server with a certificate is found by those who trust its authority, and by no one else", async () => {
  const authority = await createAuthority("test", 1);
  const tls = await issue(authority, { commonName: "cloud", hosts: ["127.0.0.1"], usage: "server", days: 1 });
  await using server = await openHttp({ ...here, tls }, (app) => app.get("/", async () => ({ ok: true })));
  const get = { method: "GET", path: "/" } as const;
  await using friend = openHttpClient({ url: server.url, tls: { authority: authority.certificate } });
  expect(await (await friend.request(get, signal)).text()).toBe('{"ok":true}');
  await using stranger = openHttpClient({ url: server.url });
  await expect(stranger.request(get, signal)).rejects.toThrow();
});

describe("a port", () => {
  test("that is in use is named with who wanted it and where", async () => {
    const first = createServer();
    const { port } = await listen(first, { host: "127.0.0.1", port: 0 }, "the first");
    const second = listen(createServer(), { host: "127.0.0.1", port }, "the MQTT broker");
    await expect(second).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `the MQTT broker can not listen on 127.0.0.1:${port}: the port is in use`,
    });
    await expect(openHttp({ ...here, port }, () => undefined)).rejects.toMatchObject({ code: "PORT_IN_USE" });
    first.close();
  });

  test("on an address of another machine is a mistake in the configuration", async () => {
    const elsewhere = listen(createServer(), { host: "192.0.2.1", port: 0 }, "the edge API");
    await expect(elsewhere).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
