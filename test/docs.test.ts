import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { cloudFile } from "#cli/cloud-file";
import { commands, groups } from "#cli/commands";
import { devConfig } from "#cli/dev/config";
import { expand, modelProblems } from "#devices/expand";
import { drivers } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { z } from "#std/schema";
import { parseAllYaml, parseYaml } from "#std/yaml";
import { documents } from "../scripts/docs.ts";

const manifest = z.object({
  apiVersion: z.literal("devices.skerry.dev/v1alpha1"),
  kind: z.enum(["DeviceModel", "Device"]),
  metadata: z.object({ name: z.string() }),
  spec: z.looseObject({ model: z.string().optional(), protocol: z.string().optional() }),
});

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

  test.each(["dev", "modbus-plc", "virtual"])("every device in examples/%s can be driven", async (folder) => {
    const all = manifestsIn(join("examples", folder));
    const devices = all.filter(({ kind }) => kind === "Device");
    expect(devices.length).toBeGreaterThan(0);
    for (const { metadata, spec } of devices) {
      const model = all.find(({ kind, metadata }) => kind === "DeviceModel" && metadata.name === spec.model)?.spec;
      const schemas = await drivers[model?.protocol ?? ""]?.();
      if (!schemas) throw new Error(`${metadata.name}: no driver`);
      expect(modelProblems(model, schemas)).toEqual([]);
      const declared = { namespace: "default", uid: "1", generation: 1, modelGeneration: 1, ...metadata, spec, model };
      expect(expand(declared, schemas).name).toBe(metadata.name);
    }
  });
});

function manifestsIn(folder: string) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .flatMap((name) => parseAllYaml(readFileSync(join(folder, name), "utf8"), name))
    .map((it) => manifest.parse(it));
}

function markdownIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
}
