import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { cloudFile } from "#cli/cloud-file";
import { commands, groups } from "#cli/commands";
import { devConfig } from "#cli/dev/config";
import { edgeConfig } from "#edge/config";
import { parseYaml } from "#std/yaml";
import { documents } from "../scripts/docs.ts";

describe("the documents", () => {
  test.each(Object.keys(documents()))("docs/%s is what the tables say; refresh it with npm run docs", (name) => {
    expect(readFileSync(join("docs", name), "utf8")).toBe(documents()[name]);
  });

  test.each(["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", ...markdownIn("docs")])(
    "links of %s lead to files",
    (file) => {
      const links = [...readFileSync(file, "utf8").matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(
        ([, to]) => to ?? "",
      );
      expect(links.filter((to) => !existsSync(join(dirname(file), to)))).toEqual([]);
    },
  );

  test("the README shows only commands that exist", () => {
    const names = new Set(commands.map(({ name }) => name));
    const shown = [...readFileSync("README.md", "utf8").matchAll(/edgeadm ([a-z]+)(?: ([a-z]+))?/g)];
    const unknown = shown
      .map(([, first = "", second = ""]) => (Object.hasOwn(groups, first) ? `${first} ${second}`.trim() : first))
      .filter((name) => !names.has(name) && !Object.hasOwn(groups, name));
    expect(unknown).toEqual([]);
  });

  test("every dependency has a line that says why it is there", () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
    const text = readFileSync("docs/dependencies.md", "utf8");
    const all = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
    expect(all.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("the examples", () => {
  test("edge.yaml, cloud.yaml and dev.yaml are valid configurations", () => {
    for (const [file, schema] of [
      ["examples/edge.yaml", edgeConfig],
      ["examples/cloud.yaml", cloudFile],
      ["examples/dev.yaml", devConfig],
    ] as const)
      expect({ file, error: schema.safeParse(parseYaml(readFileSync(file, "utf8"), file)).error }).toEqual({ file });
  });
});

function markdownIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
}
