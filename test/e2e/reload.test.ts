/** A node in a process of its own whose configuration changes while it runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import mqtt from "mqtt";
import { execute } from "#cli/program";
import { hashPassword } from "#edge/broker/users";
import { createAuthority, issue } from "#std/x509";
import { printYaml } from "#std/yaml";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { freePort } from "../rigs/free-port.ts";
import { fakeWorld } from "../unit/cli/fake-world.ts";

interface Line {
  readonly msg: string;
  readonly applied?: readonly string[];
  readonly fields?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string };
}

const dir = folder();
const file = join(dir.path, "edge.yaml");
const lines: Line[] = [];
const of = (phrase: string) => lines.filter(({ msg }) => msg === phrase);
const ports = { mqtt: 0, tls: 0, api: 0 };
const hashes = new Map<string, string>();
let node: ChildProcess;

/** The configuration with what a test says of its broker. */
const write = (broker: object, rest: object = {}) =>
  writeFileSync(
    file,
    printYaml({
      dataDir: join(dir.path, "data"),
      mqtt: {
        port: ports.mqtt,
        listeners: [{ host: "127.0.0.1", port: ports.tls, tls: { certificate: pem("crt"), key: pem("key") } }],
        users: [...hashes].map(([name, password]) => ({ name, password })),
        ...broker,
      },
      api: { port: ports.api },
      ...rest,
    }),
  );
const pem = (name: string) => join(dir.path, `server.${name}`);

/** Of all certificates that the node was given. */
const authorities: string[] = [];

async function certify(commonName: string): Promise<void> {
  const authority = await createAuthority("site", 1);
  authorities.push(authority.certificate);
  const issued = await issue(authority, {
    commonName,
    hosts: ["127.0.0.1"],
    usage: "server",
    days: 1,
  });
  writeFileSync(pem("crt"), issued.certificate);
  writeFileSync(pem("key"), issued.key);
}

async function shownName(): Promise<string | undefined> {
  const socket = connectTls({ host: "127.0.0.1", port: ports.tls, ca: authorities });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

const client = (username: string) =>
  mqtt.connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, {
    username,
    password: `${username}-secret`,
    reconnectPeriod: 0,
  });

const closes = (client: mqtt.MqttClient) => new Promise<void>((resolve) => client.once("close", () => resolve()));

async function hangUp(phrase: string): Promise<Line | undefined> {
  const before = of(phrase).length;
  node.kill("SIGHUP");
  await eventually(() => of(phrase).length > before);
  return of(phrase).at(-1);
}

const acl = (subscribe: readonly string[]) => [{ user: "*", publish: ["#"], subscribe }];

beforeAll(async () => {
  for (const name of ["mqtt", "tls", "api"] as const) ports[name] = await freePort();
  hashes.set("ann", await hashPassword("ann-secret"));
  await certify("first");
  write({ acl: acl(["plant/#", "news"]) });
  const args = ["--conditions=source", "src/cli/main.ts", "run", "edge", "--config", file];
  node = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  if (node.stderr) createInterface(node.stderr).on("line", (line) => lines.push(JSON.parse(line)));
  await eventually(() => of("edge up").length > 0, 30_000);
}, 40_000);

afterAll(async () => {
  const ended = once(node, "exit");
  node.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  dir[Symbol.dispose]();
});

test("SIGHUP brings new users, rights and certificates, and takes away what nobody may any more", async () => {
  const ann = await client("ann");
  const heard: string[] = [];
  ann.on("message", (topic) => heard.push(topic));
  await ann.subscribeAsync(["plant/#", "news"]);
  expect(await shownName()).toBe("first");
  hashes.set("bob", await hashPassword("bob-secret"));
  await certify("second");
  write({ acl: acl(["news"]) });

  const reloaded = await hangUp("configuration reloaded");

  expect(reloaded?.applied).toEqual(["mqtt.users", "mqtt.acl"]);
  expect(await shownName()).toBe("second");
  const bob = await client("bob");
  await bob.publishAsync("plant/secret", "1", { qos: 1 });
  await bob.publishAsync("news", "2", { qos: 1 });
  await eventually(() => heard.length > 0);
  expect(heard).toEqual(["news"]);

  hashes.set("ann", await hashPassword("other"));
  write({ acl: acl(["news"]) });
  const closed = closes(ann);
  await hangUp("configuration reloaded");
  await closed;
  expect(bob.connected).toBe(true);
  await bob.endAsync();
});

test.each([
  ["is no YAML", () => writeFileSync(file, "mqtt: [")],
  ["has an unknown field", () => write({ acls: [] })],
  [
    "names a key of another certificate",
    async () => {
      await certify("third");
      writeFileSync(
        pem("key"),
        (await issue(await createAuthority("x", 1), { commonName: "x", usage: "server", days: 1 })).key,
      );
      write({ acl: [], users: [] });
    },
  ],
])("a file that %s changes nothing, and is told", async (_, spoil) => {
  await spoil();
  const told = await hangUp("configuration not reloaded");
  expect(told?.error?.code).toBe("CONFIG_INVALID");
  const bob = await client("bob");
  await bob.subscribeAsync("news");
  await bob.endAsync();
  expect(await shownName()).toBe("second");
});

test("edgeadm reload does the same, and names what needs a restart", async () => {
  await certify("fourth");
  write({ acl: acl(["plant/#"]), limits: { packetBytes: 1000 } }, { log: "debug" });
  const world = fakeWorld();
  expect(await execute(["reload", "--site", `http://127.0.0.1:${ports.api}`], world)).toBe(0);
  expect(world.said).toEqual({ out: "in force now: mqtt.acl, mqtt.limits\n", err: "needs a restart: log\n" });
  expect(of("configuration needs a restart").at(-1)?.fields).toEqual(["log"]);
  const bob = await client("bob");
  const closed = closes(bob);
  bob.publish("plant/large", "x".repeat(2000));
  await closed;

  writeFileSync(file, "dataDir: 7");
  const refused = fakeWorld();
  expect(await execute(["reload", "--site", `http://127.0.0.1:${ports.api}`], refused)).toBe(1);
  expect(refused.said.err).toContain("dataDir");
});
