import { describe, expect, test } from "@jest/globals";
import { describe as describeCertificate, leaf } from "#drivers/opcua/certificate";
import { choose, isPasswordBare, offersOf } from "#drivers/opcua/endpoint";
import { server } from "#drivers/opcua/schema";

const uri = (policy: string) => `http://opcfoundation.org/UA/SecurityPolicy#${policy}`;
const endpoint = (securityMode: number, policy: string, tokenPolicy = "") =>
  ({
    securityMode,
    securityPolicyUri: uri(policy),
    userIdentityTokens: [
      { tokenType: 0, securityPolicyUri: null },
      { tokenType: 1, securityPolicyUri: tokenPolicy && uri(tokenPolicy) },
    ],
  }) as never;
const securityOf = (security: object) => server.parse({ endpoint: "opc.tcp://plc:4840", security }).security;

describe("the endpoint", () => {
  const all = [
    endpoint(1, "None"),
    endpoint(3, "Basic256Sha256"),
    endpoint(2, "Aes256_Sha256_RsaPss"),
    endpoint(3, "Aes128_Sha256_RsaOaep"),
    endpoint(3, "Basic128Rsa15"),
  ];

  test.each([
    ["the best policy of the mode", {}, 3],
    ["the named policy", { policy: "Basic256Sha256" }, 1],
    ["the named mode", { mode: "Sign" }, 2],
    ["none, when that is asked for", { mode: "None", insecure: true }, 0],
  ])("is %s", (_, security, index) => {
    expect(choose(all, securityOf(security), "opc.tcp://plc")).toBe(all[index]);
  });

  test("that is not offered is told with what is", () => {
    const security = securityOf({ policy: "Aes256_Sha256_RsaPss" });
    expect(() => choose(all, security, "opc.tcp://plc")).toThrow("SignAndEncrypt Basic256Sha256");
    expect(() => choose([endpoint(1, "None")], securityOf({}), "opc.tcp://plc")).toThrow("but None");
    expect(() => choose([endpoint(3, "Basic128Rsa15")], securityOf({}), "opc.tcp://plc")).toThrow("does not offer");
  });

  test("tells how users show who they are", () => {
    expect(offersOf([endpoint(3, "Basic256Sha256")])).toEqual([
      { mode: "SignAndEncrypt", policy: "Basic256Sha256", users: ["anonymous", "password"] },
    ]);
  });
});

test.each([
  [3, "Basic256Sha256", "None", false],
  [2, "Basic256Sha256", "", false],
  [2, "Basic256Sha256", "None", true],
  [1, "None", "", true],
  [1, "None", "Basic256Sha256", false],
])("a password in mode %i with policy %s and token policy %j is bare: %s", (mode, policy, token, isBare) => {
  expect(isPasswordBare(endpoint(mode, policy, token))).toBe(isBare);
});

describe("a certificate", () => {
  test.each([
    ["of short length", [0x30, 0x02, 1, 2]],
    ["of long length", [0x30, 0x82, 0x00, 0x03, 1, 2, 3]],
  ])("%s is cut from the chain behind it", (_, der) => {
    expect([...leaf(Uint8Array.from([...der, 0x30, 0x01, 9]))]).toEqual(der);
  });

  test.each([[[]], [[0x31, 1, 1]], [[0x30, 0x80, 1]], [[0x30, 0x89, 1]]])("that is none is left as it is", (bytes) => {
    expect([...leaf(Uint8Array.from(bytes))]).toEqual(bytes);
  });

  test("that can not be read is told", () => {
    expect(() => describeCertificate(Uint8Array.from([0x30, 1, 1]))).toThrow("can not be read");
  });
});
