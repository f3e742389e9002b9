import { createPrivateKey, webcrypto } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { opcua } from "#drivers/opcua/index";
import { policies } from "#drivers/opcua/schema";
import { problems } from "#std/schema";
import { freePort } from "../rigs/opcua-proxy.ts";
import { openSample, PLANT_A, type Sample, USER } from "../rigs/opcua-server.ts";

const forever = new AbortController().signal;
/** One for all: each driver has a thread of its own. */
const driver = opcua();
let sample: Sample;
let folder: string;
let fingerprint: string;

beforeAll(async () => {
  sample = await openSample();
  folder = mkdtempSync(join(tmpdir(), "skerry-opcua-"));
  writeFileSync(join(folder, "password"), `${USER.password}\n`);
  writeFileSync(join(folder, "wrong"), "guess");
  fingerprint = (await driver.presented(driver.server.parse({ endpoint: endpointOf(sample) }), forever)).fingerprint;
});

afterAll(async () => {
  await sample[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe("a server that nobody has decided about", () => {
  test("is refused, and the fault says what a person needs to decide", async () => {
    await expect(connect({})).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(
        /not trusted yet: .*CN=.*SHA-256 [\da-f]{64}.*SHA-1 [\dA-F]{40}.*edgeadm device trust/s,
      ),
      detail: { presented: { fingerprint } },
    });
  });

  test("is talked to once it was accepted, and no more once it was rejected", async () => {
    const driver = opcua({ trustDir: join(folder, "trust") });
    const link = driver.server.parse({ endpoint: endpointOf(sample) });
    const shown = await driver.presented(link, forever);
    await driver.trust.accept(link.endpoint, shown);
    await using _open = await driver.connect(link, forever);
    await driver.trust.reject(link.endpoint, shown);
    await expect(driver.connect(link, forever)).rejects.toThrow("was rejected");
    expect(await driver.trust.list()).toMatchObject([{ endpoint: link.endpoint, state: "rejected", fingerprint }]);
    await driver.trust.forget(link.endpoint, fingerprint);
    await expect(driver.connect(link, forever)).rejects.toThrow("is not trusted yet");
  });

  test("shows how it can be talked to, and how users show who they are", async () => {
    const { endpoints, subject, notAfter } = await driver.presented(
      driver.server.parse({ endpoint: endpointOf(sample) }),
      forever,
    );
    expect(subject).toContain("CN=");
    expect(Date.parse(notAfter)).toBeGreaterThan(Date.now());
    for (const policy of policies) {
      expect(endpoints).toContainEqual(expect.objectContaining({ mode: "SignAndEncrypt", policy }));
    }
    expect(endpoints[0]?.users).toContain("password");
  });
});

describe("a pinned server", () => {
  for (const mode of ["SignAndEncrypt", "Sign"]) {
    test.each([...policies])(`is read with ${mode} and %s`, async (policy) => {
      expect(await readFirst({ security: { mode, policy }, trust: { fingerprint } })).toMatchObject({ ok: true });
    });
  }

  test("is read with the best policy that it has when none is named", async () => {
    expect(await readFirst({ trust: { fingerprint } })).toMatchObject({ ok: true });
  });

  test("is refused when it shows another certificate", async () => {
    await using other = await openSample({ pki: "b" });
    const connecting = connect({ trust: { fingerprint } }, other);
    await expect(connecting).rejects.toThrow(`shows another certificate than ${fingerprint}`);
  });
});

describe("a server whose certificate changes while a link is open", () => {
  test("is not followed: the link is lost, and the next connect tells of the other certificate", async () => {
    const port = await freePort();
    const impatient = opcua({ patience: { healMs: 3_000, silentMs: 3_000, pingMs: 500 } });
    const before = await openSample({ port });
    const link = impatient.link.parse({ endpoint: endpointOf(before), trust: { fingerprint } });
    await using connection = await impatient.connect(link, forever);
    await before[Symbol.asyncDispose]();
    await using _after = await openSample({ port, pki: "b" });
    const point = { property: "first", address: impatient.address.parse({ nodeId: "s=First" }) };
    const station = impatient.station.parse({ namespaceUri: PLANT_A });
    await expect(connection.read(station, [point], forever)).rejects.toMatchObject({ code: "LINK_LOST" });
    await expect(impatient.connect(link, forever)).rejects.toThrow("shows another certificate");
  });
});

describe("users", () => {
  test("with the right password come in", async () => {
    const user = { name: USER.name, passwordFrom: { file: join(folder, "password") } };
    expect(await readFirst({ user, trust: { fingerprint } })).toMatchObject({ ok: true });
  });

  test("with a wrong password do not, and the password is nowhere in the fault", async () => {
    const user = { name: USER.name, passwordFrom: { file: join(folder, "wrong") } };
    const fault = await connect({ user, trust: { fingerprint } }).catch((error: Error) => error);
    const advice = /^link\.user: .* says Bad\w+: compare the name operator, the password in .*wrong and/;
    expect(fault).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringMatching(advice) });
    expect(JSON.stringify(fault)).not.toContain("guess");
  });

  test("without a password file are told which file is missing", async () => {
    const user = { name: USER.name, passwordFrom: { file: join(folder, "nowhere") } };
    const connecting = connect({ user, trust: { fingerprint } });
    await expect(connecting).rejects.toMatchObject({
      code: "PERMISSION_MISSING",
      message: expect.stringMatching(/link\.user: .*nowhere can not be read by the node \(ENOENT\)/),
    });
  });

  test("who are anonymous do not come in where they are not wanted", async () => {
    await using strict = await openSample({ allowAnonymous: false });
    const connecting = connect({ trust: { fingerprint } }, strict);
    await expect(connecting).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/link\.user: .* does not take anonymous, but password, certificate/),
    });
  });
});

describe("users with a certificate", () => {
  test("come in by certificate and key from files", async () => {
    const { crypto_utils: utils } = await import("node-opcua-client");
    const algorithm = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, hash: "SHA-256" };
    const publicExponent = new Uint8Array([1, 0, 1]);
    const keys = await webcrypto.subtle.generateKey({ ...algorithm, publicExponent }, true, ["sign", "verify"]);
    const purpose = utils.CertificatePurpose.ForUserAuthentication;
    const days = { notBefore: new Date(Date.now() - 60_000), validity: 10 };
    const { cert } = await utils.createSelfSignedCertificate({
      privateKey: keys.privateKey,
      subject: "/CN=operator",
      purpose,
      ...days,
    });
    const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" });
    writeFileSync(join(folder, "user.pem"), cert);
    writeFileSync(join(folder, "user.key"), key);
    const user = { certificateFrom: { file: join(folder, "user.pem") }, keyFrom: { file: join(folder, "user.key") } };
    expect(await readFirst({ user, trust: { fingerprint } })).toMatchObject({ ok: true });
  });
});

describe("a link", () => {
  const { link } = driver;
  const endpoint = "opc.tcp://plc:4840";

  test.each([
    ["no security without the flag", { endpoint, security: { mode: "None" } }, "security.insecure"],
    ["the flag beside a mode that is secure", { endpoint, security: { insecure: true } }, "security.insecure"],
    ["a withdrawn policy", { endpoint, security: { policy: "Basic128Rsa15" } }, "security.policy"],
    ["a password in the URL", { endpoint: "opc.tcp://me:secret@plc:4840" }, "endpoint"],
    ["another protocol", { endpoint: "http://plc" }, "endpoint"],
    ["half a fingerprint", { endpoint, trust: { fingerprint: "ab:cd" } }, "trust.fingerprint"],
  ])("refuses %s", (_, value, path) => {
    expect(problems(link, value).map((problem) => problem.path)).toContain(path);
  });

  test("takes the fingerprint as other tools print it", () => {
    const printed = "AB:".repeat(31).concat("CD");
    expect(driver.server.parse({ endpoint, trust: { fingerprint: printed } }).trust?.fingerprint).toBe(
      `${"ab".repeat(31)}cd`,
    );
  });
});

function endpointOf({ port }: Sample): string {
  return `opc.tcp://127.0.0.1:${port}/plant`;
}

async function connect(link: object, to: Sample = sample) {
  return await driver.connect(driver.server.parse({ endpoint: endpointOf(to), ...link }), forever);
}

async function readFirst(link: object) {
  const { station, address } = driver;
  await using connection = await connect(link);
  const point = { property: "first", address: address.parse({ nodeId: "s=First" }) };
  const [reading] = await connection.read(station.parse({ namespaceUri: PLANT_A }), [point], forever);
  return reading;
}
