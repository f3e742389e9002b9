import { createServer } from "node:http";
import { afterEach, expect, test } from "@jest/globals";
import { parseEdgeConfig } from "#edge/config";
import { loadIdentity } from "#edge/identity";
import { joinCloud } from "#edge/join";
import { createRenewal } from "#edge/renewal";
import { systemClock } from "#std/clock";
import { listen } from "#std/listen";
import { silent } from "#std/log";
import { createAuthority, fingerprint, issue, sign } from "#std/x509";
import { formatToken } from "#wire/join";
import { folder } from "../../rigs/folder.ts";
import { freePort } from "../../rigs/free-port.ts";

const signal = new AbortController().signal;
const { certificate } = await createAuthority("the cloud", 1);
const token = (pin: string) => formatToken({ id: "0123456789ab", secret: "s".repeat(43), fingerprint: pin });
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Something that answers everything with one body, and keeps all that it is sent. */
async function cloudThatSays(body: string): Promise<{ url: string; sent: string[] }> {
  const sent: string[] = [];
  const server = createServer((request, response) => {
    sent.push(`${request.method} ${request.url}`);
    request.on("data", (part) => sent.push(String(part)));
    response.end(body);
  });
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the rig");
  closing.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return { url: `https://127.0.0.1:${port}`, sent };
}

test("a cloud with another authority is refused before the token is sent", async () => {
  const { url, sent } = await cloudThatSays(JSON.stringify({ authority: certificate }));
  const joined = joinCloud(url, token("0".repeat(64)), signal);
  await expect(joined).rejects.toMatchObject({ code: "IDENTITY_REFUSED" });
  expect(sent).toEqual(["GET /v1/authority"]);
});

test("a cloud that has the right authority but not its key learns no token", async () => {
  const { url, sent } = await cloudThatSays(JSON.stringify({ authority: certificate }));
  const joined = joinCloud(url, token(fingerprint(certificate)), signal);
  await expect(joined).rejects.toMatchObject({ name: "Fault" });
  expect(sent.join()).not.toContain("sss");
});

test("a cloud that is not there is named as it was given, with what to look at", async () => {
  const url = `https://127.0.0.1:${await freePort()}`;
  const joined = joinCloud(url, token("0".repeat(64)), signal);
  await expect(joined).rejects.toMatchObject({
    code: "UPLINK_LOST",
    message: expect.stringContaining(`${url} did not take the join: connect ECONNREFUSED`),
    hint: expect.stringContaining("port for joins"),
  });
});

test.each(["", "{", "{}", '{"authority":7}', '{"authority":"no certificate"}', "x".repeat(100_000)])(
  "an answer that is no authority is a fault",
  async (body) => {
    const { url } = await cloudThatSays(body);
    await expect(joinCloud(url, token("0".repeat(64)), signal)).rejects.toMatchObject({ name: "Fault" });
  },
);

test("where nobody listens is a lost uplink, and no token is no token", async () => {
  const nowhere = `https://127.0.0.1:${await freePort()}`;
  await expect(joinCloud(nowhere, token("0".repeat(64)), signal)).rejects.toMatchObject({ code: "UPLINK_LOST" });
  await expect(joinCloud(nowhere, "skerry-join.x", signal)).rejects.toMatchObject({ code: "TOKEN_INVALID" });
});

test("a configuration has defaults for everything but its folder", () => {
  expect(parseEdgeConfig("dataDir: /var/lib/skerry", "edge.yaml")).toMatchObject({
    mqtt: { host: "127.0.0.1", port: 1883 },
    api: { host: "127.0.0.1", port: 7080 },
    outbox: { limitMiB: 256, limitAge: 604_800_000 },
    log: "info",
  });
});

test.each([
  ["", /edge\.yaml: is empty/],
  ["mqtt: {}", /edge\.yaml: dataDir: /],
  ["dataDir: /d\nmqqt: {}", /edge\.yaml: mqqt: unknown field/],
  ["dataDir: /d\napi: { host: 0.0.0.0 }", /edge\.yaml: api\.host: only loopback/],
  ["dataDir: /d\nmqtt: { port: 70000 }", /edge\.yaml: mqtt\.port: /],
  ["dataDir: /d\noutbox: { limitAge: 7 }", /edge\.yaml: outbox\.limitAge: /],
  ["dataDir: /d\nlog: loud\napi: { port: x }", /api\.port: .*; log: /],
  ["dataDir: [", /edge\.yaml:1:\d+: /],
])("the configuration %j is refused by field or line", (text, message) => {
  expect(() => parseEdgeConfig(text, "edge.yaml")).toThrow(message);
  expect(() => parseEdgeConfig(text, "edge.yaml")).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
});

test("a certificate for another key than the node's own is refused, and the identity stays", async () => {
  using dir = folder();
  const authority = await createAuthority("the cloud", 1);
  const subject = { commonName: "site-a", usage: "client", days: 1 } as const;
  const first = await issue(authority, subject);
  const identity = { node: "site-a", tunnel: "wss://cloud", authority: authority.certificate, ...first };
  const clock = { ...systemClock, now: () => Date.now() + 86_000_000 };
  const renewal = createRenewal(identity, { dataDir: dir.path, clock, log: silent });
  const late = await sign(authority, (await renewal.request()) ?? "", subject);
  const next = await sign(authority, (await renewal.request()) ?? "", subject);
  expect(() => renewal.accept(late)).toThrow(/another key/);
  expect(renewal.identity).toBe(identity);
  renewal.accept(next);
  expect(loadIdentity(dir.path)?.certificate).toBe(next);
});
