import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { request as plainRequest } from "node:http";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { lock } from "#cli/lock";
import { execute } from "#cli/program";
import { openAuthority } from "#cloud/join/authority";
import { Tokens } from "#cloud/join/tokens";
import type { Cloud } from "#cloud/main";
import { openStore } from "#cloud/store";
import { type Clock, systemClock } from "#std/clock";
import { silent } from "#std/log";
import { createRequest, fingerprint } from "#std/x509";
import { authorityAnswer, authorityPath, formatToken, parseToken } from "#wire/join";
import { folder } from "../../rigs/folder.ts";
import { fakeWorld } from "../cli/fake-world.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { cloudOn, post } from "./rig.ts";

let cluster: FakeCluster;
let cloud: Cloud;

beforeEach(async () => {
  cluster = await openFakeCluster();
  cloud = await cloudOn(cluster);
});
afterEach(async () => {
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** A clock that a test sets. */
function clockAt(start: number): Clock & { now: () => number; at: number } {
  const clock = { ...systemClock, at: start, now: () => clock.at };
  return clock;
}

test("a machine with a token becomes the node that the token names, whatever its request says", async () => {
  const { request } = await createRequest("somebody-else");
  const { status, body } = await post(cloud, { token: cloud.createToken("site-a"), request });
  expect(status).toBe(200);
  const { node, certificate, tunnel } = body as Record<string, string>;
  const { subject, validTo } = new X509Certificate(certificate ?? "");
  expect({ node, tunnel }).toEqual({ node: "site-a", tunnel: cloud.urls.tunnel });
  expect(subject).toBe("CN=site-a\nO=skerry:nodes");
  expect(Date.parse(validTo) - Date.now()).toBeLessThan(31 * 86_400_000);
});

test("edgeadm join says that a node that runs already needs a new start", async () => {
  using dir = folder();
  const world = fakeWorld({ cwd: dir.path });
  const args = (node: string) => ["join", cloud.urls.join, "--token", cloud.createToken(node), "--data-dir", "."];
  expect(await execute(args("site-a"), world)).toBe(0);
  expect(world.said).toMatchObject({ out: `joined as site-a; it connects to ${cloud.urls.tunnel}\n`, err: "" });
  using _ = lock(dir.path);
  expect(await execute([...args("site-b"), "--force"], world)).toBe(0);
  expect(world.said.err).toContain("start it again");
});

test("a token is used once, even when two come at the same time", async () => {
  const token = cloud.createToken("site-a");
  const { request } = await createRequest("x");
  const answers = await Promise.all([1, 2, 3].map(() => post(cloud, { token, request })));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401, 401]);
  expect(cloud.tokens.list()[0]?.usedAt).not.toBeNull();
});

test("a broken request does not use the token up", async () => {
  const token = cloud.createToken("site-a");
  expect((await post(cloud, { token, request: "nonsense" })).status).toBe(403);
  const { request } = await createRequest("x");
  expect((await post(cloud, { token, request })).status).toBe(200);
});

test("a revoked, an invented and a mutilated token are refused with one code and no secret", async () => {
  const { request } = await createRequest("x");
  const token = cloud.createToken("site-a");
  const parts = parseToken(token);
  cloud.tokens.revoke(parts.id);
  const invented = formatToken({ ...parseToken(cloud.createToken("site-b")), secret: "A".repeat(43) });
  for (const wrong of [token, invented, token.slice(0, -1), "skerry-join.a.b.c"]) {
    const { status, body } = await post(cloud, { token: wrong, request });
    expect({ status, code: (body as { code: string }).code }).toEqual({ status: 401, code: "TOKEN_INVALID" });
    expect(JSON.stringify(body)).not.toContain(parts.secret);
  }
});

test("a token expires, is bound to its cloud, and is kept as a hash", () => {
  using db = openStore(":memory:", silent);
  const clock = clockAt(1_000_000);
  const tokens = new Tokens(db, "a".repeat(64), clock);
  const token = parseToken(tokens.create("site-a", 60_000));
  expect(tokens.check(token)).toBe("site-a");
  const elsewhere = new Tokens(db, "b".repeat(64), clock);
  expect(() => elsewhere.check(token)).toThrow("of another cloud");
  clock.at += 60_000;
  expect(() => tokens.redeem(token)).toThrow("has expired");
  const stored = JSON.stringify(db.prepare("select * from token").all());
  expect(stored).not.toContain(token.secret);
  expect(stored).toContain(createHash("sha256").update(`${token.id}.${token.secret}`).digest("hex"));
});

test("a name that no node can have gets no token", () => {
  expect(() => cloud.createToken("Site A")).toThrow("can not name a node");
});

test("the authority's certificate can be had without TLS on the same port, and is the one that tokens pin", async () => {
  const { port } = cloud.endpoints.join;
  const text = await new Promise<string>((resolve, reject) => {
    const request = plainRequest({ host: "127.0.0.1", port, path: authorityPath }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve(body));
    });
    request.on("error", reject);
    request.end();
  });
  const { authority } = authorityAnswer.parse(JSON.parse(text));
  expect(fingerprint(authority)).toBe(parseToken(cloud.createToken("site-a")).fingerprint);
});

test("tokens are never taken without TLS", async () => {
  const { port } = cloud.endpoints.join;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = plainRequest({ host: "127.0.0.1", port, path: "/v1/join", method: "POST" }, (response) =>
      resolve(response.statusCode),
    );
    request.on("error", reject);
    request.end("{}");
  });
  expect(status).toBe(404);
});

test("an authority is the same after a restart, and its keys are for this user alone", async () => {
  const dataDir = mkdtempSync(joinPath(tmpdir(), "authority-"));
  try {
    const options = { dataDir, hosts: ["127.0.0.1", "cloud.example.com"], log: silent, clock: systemClock };
    const first = await openAuthority(options);
    const second = await openAuthority(options);
    expect(second).toMatchObject({ fingerprint: first.fingerprint, server: first.server });
    for (const name of ["ca.key", "server.key"])
      expect(statSync(joinPath(dataDir, "authority", name)).mode & 0o777).toBe(0o600);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});

test("the server's certificate is renewed when a third of its life is left, and when a host is new", async () => {
  const dataDir = mkdtempSync(joinPath(tmpdir(), "authority-"));
  try {
    const clock = clockAt(Date.now());
    const options = { dataDir, hosts: ["127.0.0.1"], log: silent, clock };
    const first = await openAuthority(options);
    const more = await openAuthority({ ...options, hosts: ["127.0.0.1", "cloud.example.com"] });
    expect(more.server.certificate).not.toBe(first.server.certificate);
    clock.at += 500 * 86_400_000;
    const later = await openAuthority({ ...options, hosts: ["127.0.0.1", "cloud.example.com"] });
    expect(later.server.certificate).not.toBe(more.server.certificate);
    expect(later.fingerprint).toBe(first.fingerprint);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
