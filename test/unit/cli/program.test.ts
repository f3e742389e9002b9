import { describe, expect, test } from "@jest/globals";
import { commands } from "#cli/commands";
import { execute } from "#cli/program";
import { type FakeOptions, fakeWorld } from "./fake-world.ts";

async function run(line: string, options: FakeOptions = {}) {
  const world = fakeWorld(options);
  const code = await execute(line === "" ? [] : line.split(" "), world);
  return { code, ...world.said };
}

describe("a command line", () => {
  test("without a command shows the help and is no mistake", async () => {
    const { code, out, err } = await run("");
    expect(code).toBe(0);
    expect(out).toMatch(/COMMANDS\n +run +Run a role.* Commands: dev, edge, cloud\./);
    expect(err).toBe("");
  });

  test.each(commands.map(({ name }) => name))("%s explains itself with examples", async (name) => {
    const { code, out } = await run(`${name} --help`);
    expect(code).toBe(0);
    expect(out).toContain(`USAGE edgeadm ${name}`);
    expect(out).toContain("EXAMPLES\n");
  });

  test.each([
    ["devcie list", "unknown command 'devcie'", "Did you mean device?"],
    ["device lst", "unknown command 'lst'", "Did you mean list?"],
    ["device list --namespce x", "unknown option '--namespce'", "Did you mean --namespace?"],
    ["device", "device needs a command: list, get, set, watch", "See edgeadm device --help"],
    ["device get", "missing required argument 'name'", "See edgeadm device get --help"],
    ["device list -o xml", "is invalid", "See edgeadm device list --help"],
    ["run edge", "required option '--config <FILE>' not specified", "See edgeadm run edge --help"],
    ["version extra", "too many arguments", "See edgeadm version --help"],
    ["run dev --port mqtt", "expected NAME=PORT with one of mqtt, edge, registry", "--help"],
    ["reset", "reset needs to be told what", "Give --dev"],
    ["join http://x --token t --data-dir d", "http://x is no https URL", "https://"],
    ["token create a --ttl 5", "give a number and a unit", "--help"],
  ])("edgeadm %s is a mistake of usage, told with a way out", async (line, message, hint) => {
    const { code, out, err } = await run(line);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    const [first, second, ...rest] = err.split("\n");
    expect(first).toMatch(/^edgeadm: /);
    expect(first).toContain(message);
    expect(second).toMatch(/^hint: /);
    expect(second).toContain(hint);
    expect(rest).toEqual([""]);
  });

  test("tells a fault as JSON when it was asked for JSON, however that was written", async () => {
    for (const flag of ["-o json", "-ojson", "--output json", "--output=json"]) {
      const { code, err } = await run(`device list ${flag} --site http://127.0.0.1:1`);
      expect(code).toBe(3);
      expect(JSON.parse(err)).toMatchObject({ error: { code: "SITE_UNREACHABLE", hint: expect.any(String) } });
    }
  });

  test("says which version it is, for people and for programs", async () => {
    expect((await run("version")).out).toMatch(/^edgeadm \d+\.\d+\.\d+ \(wire \d+, Node 24\./);
    expect(JSON.parse((await run("version -o json")).out)).toMatchObject({ version: expect.any(String), wire: 1 });
  });

  test("a cluster that nobody named is no crash", async () => {
    const { code, err } = await run("device list", { root: "/nowhere", env: { HOME: "/nowhere" } });
    expect(code).toBe(3);
    expect(err).toMatch(/^edgeadm: no cluster is known.*\nhint: Start one with edgeadm run dev/);
  });
});
