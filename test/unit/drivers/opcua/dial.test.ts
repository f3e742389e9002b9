import { expect, test } from "@jest/globals";
import { abortable, pinning } from "#drivers/opcua/dial";

const good = { name: "Good" };
const bad = { name: "BadCertificateUntrusted" };
const pinned = Buffer.from("the certificate that was decided about");
const other = Buffer.from("another one");
const stack = { StatusCodes: { Good: good, BadCertificateUntrusted: bad } };
const { serverCertificate, clientCertificateManager } = pinning(stack as never, { serverCertificate: pinned } as never);

test("a client trusts the certificate that was decided about and no other, whenever it is asked", async () => {
  expect(serverCertificate).toBe(pinned);
  const { checkCertificate, getTrustStatus, verifyCertificate } = clientCertificateManager;
  expect(await checkCertificate(pinned)).toBe(good);
  expect(await checkCertificate([pinned])).toBe(good);
  for (const shown of [other, [other], [pinned, other]]) expect(await checkCertificate(shown)).toBe(bad);
  expect(await getTrustStatus(other)).toBe(bad);
  expect(await verifyCertificate(other)).toBe("BadCertificateUntrusted");
});

test("waiting ends with the signal, whatever becomes of the work", async () => {
  const stop = new AbortController();
  const waiting = abortable(stop.signal, () => new Promise<never>(() => {}));
  stop.abort("enough");
  await expect(waiting).rejects.toBe("enough");
  await expect(abortable(stop.signal, async () => 1)).rejects.toBe("enough");
});
