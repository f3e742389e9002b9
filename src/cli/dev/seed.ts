/** The sample devices of `edgeadm run dev`: declared once, then they belong to the user. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Kube } from "#cloud/kube/client";
import type { ApiObject } from "#cloud/kube/objects";
import { isRefused } from "#cloud/kube/refusal";
import { deviceKind, modelKind } from "#devices/crd";
import { parse, z } from "#std/schema";
import { parseAllYaml } from "#std/yaml";

export interface SeedOptions {
  /** Folder of the examples. */
  readonly examples: string;
  readonly dataDir: string;
  readonly node: string;
  /** Where the simulated PLC listens. */
  readonly plcPort: number;
}

const memory = z.strictObject({
  /** What was created once, as `Kind/name`: what the user deleted stays deleted. */
  seeded: z.array(z.string()),
  /** Where the PLC listened last. */
  plcPort: z.int(),
});

const manifest = z.object({
  kind: z.enum(["DeviceModel", "Device"]),
  metadata: z.object({ name: z.string() }),
  spec: z.record(z.string(), z.unknown()),
});
type Manifest = z.infer<typeof manifest>;

const NAMESPACE = "default";
/** Where the examples say that the PLC is. */
const EXAMPLE_PORT = 5020;

/** Creates the samples that were never created, and leads those that are there to the PLC's present port. */
export async function seed(kube: Kube, options: SeedOptions, signal: AbortSignal): Promise<void> {
  const { examples, dataDir, node, plcPort } = options;
  const file = join(dataDir, "dev.json");
  const before = existsSync(file)
    ? parse(memory, JSON.parse(readFileSync(file, "utf8")), file)
    : { seeded: [], plcPort: EXAMPLE_PORT };
  const seeded = new Set(before.seeded);
  for (const it of readSamples(examples)) {
    const id = `${it.kind}/${it.metadata.name}`;
    const kind = it.kind === "Device" ? deviceKind : modelKind;
    const name = { name: it.metadata.name, namespace: NAMESPACE };
    if (seeded.has(id)) {
      if (it.kind === "Device" && before.plcPort !== plcPort)
        await lead(kube, name.name, { ...options, before: before.plcPort }, signal);
      continue;
    }
    const spec = it.kind === "Device" ? { ...atPort(it.spec, EXAMPLE_PORT, plcPort), node } : it.spec;
    const object = { ...it, metadata: { ...it.metadata, namespace: NAMESPACE }, spec } as ApiObject;
    await kube.create(kind, object, signal).catch((error: unknown) => {
      if (!isRefused(error, "AlreadyExists")) throw error;
    });
    seeded.add(id);
  }
  writeFileSync(file, `${JSON.stringify({ seeded: [...seeded], plcPort }, null, 2)}\n`, { mode: 0o600 });
}

/** Every example, models first, because devices name them. */
function readSamples(folder: string): readonly Manifest[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  const all = files.flatMap((name) => {
    const path = join(folder, name);
    return parseAllYaml(readFileSync(path, "utf8"), path).map((value) => ({
      ...parse(manifest, value, path),
      ...(value as object),
    }));
  });
  return [...all].sort((a, b) => Number(a.kind === "Device") - Number(b.kind === "Device"));
}

async function lead(
  kube: Kube,
  name: string,
  { before, plcPort }: SeedOptions & { readonly before: number },
  signal: AbortSignal,
): Promise<void> {
  try {
    const at = { name, namespace: NAMESPACE };
    const { spec } = await kube.get(deviceKind, at, signal);
    const { link } = atPort(spec as Manifest["spec"], before, plcPort);
    if (link !== (spec as Manifest["spec"]).link) await kube.patch(deviceKind, at, { spec: { link } }, signal);
  } catch (error) {
    if (!isRefused(error, "NotFound")) throw error;
  }
}

/** The spec of a device with its link at another port of this machine; the same when it leads elsewhere. */
function atPort(spec: Manifest["spec"], from: number, to: number): Manifest["spec"] {
  const { link } = spec as { readonly link?: { readonly host?: unknown; readonly port?: unknown } };
  if (link?.host !== "127.0.0.1" || link.port !== from || from === to) return spec;
  return { ...spec, link: { ...link, port: to } };
}
