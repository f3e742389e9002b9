import { X509Certificate } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createAuthority, createRequest, fingerprint, issue, sign } from "#std/x509";

const authority = await createAuthority("Skerry test", 30);
const node = { commonName: "site-a", organizations: ["nodes"], usage: "client", days: 1 } as const;

test("an issued certificate is the authority's and says what it is for", async () => {
  const { certificate } = await issue(authority, { ...node, usage: "server", hosts: ["cloud.example", "10.0.0.1"] });
  const [mine, ca] = [new X509Certificate(certificate), new X509Certificate(authority.certificate)];
  expect(mine.verify(ca.publicKey) && mine.checkIssued(ca)).toBe(true);
  expect(mine.subject.split("\n")).toEqual(["CN=site-a", "O=nodes"]);
  expect(mine.ca).toBe(false);
  expect(mine.checkHost("cloud.example")).toBe("cloud.example");
  expect(mine.checkIP("10.0.0.1")).toBe("10.0.0.1");
  expect(mine.checkHost("site-a")).toBeUndefined();
  expect(mine.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
});

test("the key of an issued certificate fits it", async () => {
  const { certificate, key } = await issue(authority, node);
  const { createPrivateKey } = await import("node:crypto");
  expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))).toBe(true);
});

test("a certificate does not outlive its authority, and begins before now for clocks that differ", async () => {
  const { certificate } = await issue(authority, { ...node, days: 3650 });
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  expect(validToDate).toEqual(new X509Certificate(authority.certificate).validToDate);
  expect(validFromDate.getTime()).toBeLessThan(Date.now() - 60_000);
});

test("who a request names does not matter: the subject comes from the one who signs", async () => {
  const { request } = await createRequest("cluster-admin");
  const certificate = new X509Certificate(await sign(authority, request, node));
  expect(certificate.subject).toBe("CN=site-a\nO=nodes");
});

test("a request with a damaged signature is refused", async () => {
  const { request } = await createRequest("site-a");
  const bytes = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) ^ 1;
  const damaged = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
  await expect(sign(authority, damaged, node)).rejects.toMatchObject({ code: "IDENTITY_REFUSED" });
});

test.each(["", "garbage", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"])(
  "%j is no request",
  async (text) => {
    await expect(sign(authority, text, node)).rejects.toMatchObject({ code: "IDENTITY_REFUSED" });
  },
);

test("a fingerprint is SHA-256 of the certificate's bytes", () => {
  const { fingerprint256 } = new X509Certificate(authority.certificate);
  expect(fingerprint(authority.certificate)).toBe(fingerprint256.replaceAll(":", "").toLowerCase());
});
