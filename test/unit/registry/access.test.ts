import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAuthority, issue } from "#std/x509";
import { openTestRegistry, type TestRegistry, WIDGETS, widget, widgets } from "../../rigs/registry.ts";

const hash = (token: string) => createHash("sha256").update(token).digest("hex");
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

describe("who may do what", () => {
  let rig: TestRegistry;

  beforeAll(async () => {
    rig = await openTestRegistry({
      tokens: [
        { sha256: hash("open sesame".replace(" ", "-")), user: "robot", groups: ["system:masters"] },
        { sha256: hash("look"), user: "eye", groups: ["skerry:readers"] },
      ],
    });
    await rig.admin.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgets());
    await rig.admin.request("POST", WIDGETS, widget("a"));
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  test.each(["/healthz", "/livez", "/readyz", "/version"])("%s tells everybody", async (path) => {
    expect((await rig.anybody().request("GET", path)).status).toBe(200);
  });

  test.each(["/api", "/apis", "/openapi/v3", CONFIG_MAPS, "/nothing", "/healthzz", "/metrics"])(
    "%s tells nothing to somebody unknown",
    async (path) => {
      const { status, body } = await rig.anybody().request("GET", path);
      expect(status).toBe(401);
      expect(body).toMatchObject({ kind: "Status", reason: "Unauthorized", code: 401 });
    },
  );

  test("a client certificate names its user and groups", async () => {
    const { status, body } = await rig.admin.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {});
    expect(status).toBe(201);
    expect(body).toMatchObject({
      status: { userInfo: { username: "admin", groups: ["system:masters", "system:authenticated"] } },
    });
  });

  test("a certificate of another authority makes nobody a user", async () => {
    const other = await createAuthority("test authority", 1);
    const forged = await issue(other, {
      commonName: "admin",
      organizations: ["system:masters"],
      usage: "client",
      days: 1,
    });
    expect((await rig.anybody({}, forged).request("GET", CONFIG_MAPS)).status).toBe(401);
  });

  test("a certificate for servers is none for clients", async () => {
    const server = await issue(rig.authority, {
      commonName: "x",
      organizations: ["system:masters"],
      usage: "server",
      days: 1,
    });
    expect((await rig.anybody({}, server).request("GET", CONFIG_MAPS)).status).toBe(401);
  });

  test("an expired certificate makes nobody a user", async () => {
    const expired = await issue(rig.authority, {
      commonName: "admin",
      organizations: ["system:masters"],
      usage: "client",
      days: -1 / 24 / 60,
    });
    expect((await rig.anybody({}, expired).request("GET", CONFIG_MAPS)).status).toBe(401);
  });

  test("a token is as good as a certificate", async () => {
    const robot = rig.anybody({ authorization: "Bearer open-sesame" });
    expect((await robot.request("POST", CONFIG_MAPS, { metadata: { name: "robots" } })).status).toBe(201);
  });

  test.each(["Bearer wrong", "Bearer ", "Basic b3Blbg==", `Bearer ${hash("look")}`])(
    "%s opens nothing",
    async (authorization) => {
      expect((await rig.anybody({ authorization }).request("GET", CONFIG_MAPS)).status).toBe(401);
    },
  );

  test("readers may get, list and watch, and nothing else", async () => {
    const eye = rig.anybody({ authorization: "Bearer look" });
    expect((await eye.request("GET", `${WIDGETS}/a`)).status).toBe(200);
    expect((await eye.request("GET", WIDGETS)).status).toBe(200);
    expect((await eye.request("GET", `${WIDGETS}?watch=true&timeoutSeconds=1`)).status).toBe(200);
    const { status, body } = await eye.request("DELETE", `${WIDGETS}/a`);
    expect(status).toBe(403);
    expect(body).toMatchObject({
      reason: "Forbidden",
      message:
        'widgets.example.dev "a" is forbidden: User "eye" cannot delete resource "widgets" in API group "example.dev" in the namespace "default"',
    });
    const merge = { "content-type": "application/merge-patch+json" };
    for (const [method, path] of [
      ["POST", WIDGETS],
      ["PUT", `${WIDGETS}/a`],
      ["PATCH", `${WIDGETS}/a/status`],
      ["DELETE", WIDGETS],
    ] as const)
      expect((await eye.request(method, path, {}, merge)).status).toBe(403);
  });

  test("readers do not see secrets", async () => {
    const eye = rig.anybody({ authorization: "Bearer look" });
    expect((await eye.request("GET", "/api/v1/secrets")).status).toBe(403);
  });

  test("somebody without a group may look at discovery and at nothing else", async () => {
    const guest = await rig.as("guest", []);
    expect((await guest.request("GET", "/apis")).status).toBe(200);
    expect((await guest.request("GET", WIDGETS)).status).toBe(403);
  });

  test("nobody acts in the name of another", async () => {
    const { status } = await rig.admin.request("GET", WIDGETS, undefined, { "impersonate-user": "x" });
    expect(status).toBe(403);
  });

  test("a client learns what it may do", async () => {
    const eye = rig.anybody({ authorization: "Bearer look" });
    const ask = async (verb: string) => {
      const spec = { resourceAttributes: { verb, resource: "widgets", group: "example.dev" } };
      const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
      return (await eye.request("POST", path, { spec })).body;
    };
    expect(await ask("list")).toMatchObject({ status: { allowed: true } });
    expect(await ask("delete")).toMatchObject({ status: { allowed: false } });
  });

  test("a token that is given as itself and not as its hash is refused at once", async () => {
    const tokens = [{ sha256: "look", user: "eye", groups: [] }];
    await expect(openTestRegistry({ tokens })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  test("clients that can speak HTTP/2 do", async () => {
    expect(await rig.protocol()).toBe("h2");
  });
});
