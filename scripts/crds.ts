/** Prints our CRDs to the chart: `node --conditions=source scripts/crds.ts`. A test proves the files fresh. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crds } from "#devices/crd";
import { printYaml } from "#std/yaml";

const folder = join(import.meta.dirname, "../charts/edge-cloud/crds");
mkdirSync(folder, { recursive: true });
for (const crd of crds()) {
  const { name } = crd.metadata as { name: string };
  writeFileSync(
    join(folder, `${name}.yaml`),
    `# Printed by scripts/crds.ts; change src/devices instead.\n${printYaml(crd)}`,
  );
}
