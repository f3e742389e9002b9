/** What docs/mqtt.md says is so: its snippets run, its tables are those of the code. */
import { execFile, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { identityOf, rightsOf } from "#edge/broker/acl";
import { mqttLimits } from "#edge/broker/config";
import { type EdgeConfig, edgeConfig } from "#edge/config";
import { type Edge, openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { parseYaml } from "#std/yaml";
import { folder } from "./rigs/folder.ts";
import { freePort } from "./rigs/free-port.ts";

const page = readFileSync("docs/mqtt.md", "utf8");
const blocks = (language: string) =>
  [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(([, of]) => of === language).map(([, , text = ""]) => text);
const chapter = (title: string) => page.split(/^## /m).find((text) => text.startsWith(title)) ?? "";
const rows = (text: string) =>
  [...text.matchAll(/^\| (.*) \|$/gm)].map(([, row = ""]) => row.split(" | ").map((cell) => cell.trim())).slice(2);
const plain = (cell = "") => cell.replaceAll("`", "");

const configs = blocks("yaml").map((text) =>
  edgeConfig.parse({ dataDir: "data", ...(parseYaml(text, "docs") as object) }),
);
const withAcl = configs.find(({ mqtt }) => mqtt.acl) as EdgeConfig;

test("every YAML snippet is a configuration", () => expect(configs).toHaveLength(5));

test.each(rows(chapter("Users and rights")))("%s publishes to %s: %s; subscribes to %s: %s", (...cells) => {
  const [who, topic, mayPublish, filter, maySubscribe] = cells.map(plain);
  const rights = rightsOf(identityOf(who ?? ""), withAcl.mqtt.acl ?? []);
  const word = (is: boolean) => (is ? "yes" : "no");
  expect([word(rights.mayPublish(topic ?? "")), word(rights.maySubscribe(filter ?? ""))]).toEqual([
    mayPublish,
    maySubscribe,
  ]);
});

test("the table of limits has every limit with its default", () => {
  const said = rows(chapter("Limits")).map(([name, value]) => [plain(name), plain(value)]);
  const asRead = mqttLimits.parse(
    Object.fromEntries(said.map(([name, value = ""]) => [name, /^\d+$/.test(value) ? Number(value) : value])),
  );
  expect(asRead).toEqual(mqttLimits.parse({}));
  expect(said.map(([name]) => name).sort()).toEqual(Object.keys(mqttLimits.shape).sort());
});

test("what the log is said to say stands in the code", () => {
  const code = ["src/edge", "src/edge/broker", "src/edge/bridge", "src/cli/roles"]
    .flatMap((dir) => readdirSync(dir).map((name) => join(dir, name)))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(name, "utf8"))
    .join("\n");
  const table = chapter("When something is wrong");
  const phrases = rows(table).flatMap(([, log = ""]) => [...log.matchAll(/`([^`]+)`/g)].map(([, phrase]) => phrase));
  const reasons = [...table.matchAll(/`([a-z]+ [a-z ]+)`/g)].map(([, reason]) => reason);
  const missing = [...phrases, ...reasons].filter((text = "") => !new RegExp(`\\b${text}\\b`).test(code));
  expect(phrases.length).toBeGreaterThan(15);
  expect(missing.filter((text) => text !== "clean session")).toEqual([]);
});

const missing = ["mosquitto_pub", "mosquitto_sub", "openssl", "curl"].filter(
  (name) => spawnSync("which", [name]).status !== 0,
);
const where = missing.length === 0 ? describe : describe.skip;

where(`beside a node${missing.length === 0 ? "" : `, skipped because ${missing} are not installed,`}`, () => {
  const dir = folder();
  const programs = folder();
  const ports = new Map<string, string>();
  let edge: Edge;

  beforeAll(async () => {
    for (const port of ["1883", "8883", "7080"]) ports.set(port, String(await freePort()));
    const edgeadm = `#!/bin/sh\nexec "${process.execPath}" --conditions=source "${join(process.cwd(), "src/cli/main.ts")}" "$@"\n`;
    writeFileSync(join(programs.path, "edgeadm"), edgeadm, { mode: 0o755 });
    await run(blocks("sh").find((text) => text.startsWith("openssl")) ?? "");
    const tls = { certificate: join(dir.path, "server.crt"), key: join(dir.path, "server.key") };
    const { users } = withAcl.mqtt;
    const port = (name: string) => Number(ports.get(name));
    const acl = [...(withAcl.mqtt.acl ?? []), { anonymous: true, publish: [], subscribe: ["plant/#"] }];
    const config = edgeConfig.parse({
      dataDir: join(dir.path, "data"),
      mqtt: { port: port("1883"), users, acl, listeners: [{ host: "127.0.0.1", port: port("8883"), tls }] },
      api: { port: port("7080") },
      bridge: { url: "mqtt://127.0.0.1:9", topics: [{ filter: "plant/#", direction: "out" }] },
    });
    edge = await openEdge(
      { config, identity: undefined, version: "1" },
      { drivers: {}, clock: systemClock, log: silent },
    );
  });
  afterAll(async () => {
    await edge[Symbol.asyncDispose]();
    programs[Symbol.dispose]();
    dir[Symbol.dispose]();
  });

  /** Runs a snippet as it stands, with the ports of this test and edgeadm on the path. */
  async function run(snippet: string): Promise<string> {
    let text = snippet
      .replaceAll("mosquitto_pub -q", "mosquitto_pub -p 1883 -q")
      .replaceAll("mosquitto_sub", "mosquitto_sub -p 1883");
    text = text
      .replaceAll("mosquitto_pub -V", "mosquitto_pub -p 1883 -V")
      .replaceAll("edgeadm reload", "edgeadm reload --site http://127.0.0.1:7080");
    for (const [port, mine] of ports) text = text.replaceAll(port, mine);
    const env = { ...process.env, PATH: `${programs.path}${delimiter}${process.env.PATH}` };
    const { stdout } = await promisify(execFile)("sh", ["-e", "-c", text], { cwd: dir.path, env, timeout: 20_000 });
    return stdout;
  }

  const answers: readonly (readonly [begin: string, answer: RegExp])[] = [
    ["mosquitto_pub -q", /"online":true/],
    ["mosquitto_pub -h", /^$/],
    ["printf", /^scrypt\$16384\$8\$1\$/],
    ["edgeadm reload", /certificates were read again/],
    ["mosquitto_sub -i", /^said while the historian was away$/m],
    ["curl", /^edge_mqtt_clients \d/m],
    ["mosquitto_pub -V 5", /^refused$/m],
  ];
  const snippets = blocks("sh").filter((text) => !text.startsWith("openssl"));

  test("the table of figures has every metric of broker and bridge", async () => {
    const text = await run("curl -s http://127.0.0.1:7080/metrics");
    const found = [...text.matchAll(/^# TYPE (edge_(?:mqtt|bridge)_\w+)/gm)].map(([, name]) => name);
    expect(rows(chapter("Figures")).map(([name]) => plain(name))).toEqual(found);
  });
  test("every snippet has an answer here", () => expect(snippets).toHaveLength(answers.length));
  test.each(answers)("%s answers %s", async (begin, answer) => {
    expect(await run(snippets.find((text) => text.startsWith(begin)) ?? "false")).toMatch(answer);
  });
});
