/** Writes per second into the embedded registry, and how long a list of 5,000 Devices takes. */
import { crds } from "#devices/crd";
import { folder } from "../rigs/folder.ts";
import { openTestRegistry } from "../rigs/registry.ts";

export interface RegistryFigures {
  readonly devices: number;
  /** Creates per second with this many clients at once. */
  readonly creates: readonly { readonly clients: number; readonly perSecond: number }[];
  /** Status patches per second, 32 at once. */
  readonly patchesPerSecond: number;
  readonly listMs: number;
  readonly listBytes: number;
}

const DEVICES = "/apis/devices.skerry.dev/v1alpha1/namespaces/default/devices";

/** Over TLS and HTTP, on a file with full durability, the client in the same process. */
export async function benchRegistry(devices = 5_000): Promise<RegistryFigures> {
  using dir = folder();
  await using registry = await openTestRegistry({ database: `${dir.path}/registry.db` });
  const { admin } = registry;
  for (const crd of crds()) await admin.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
  const creates = [];
  let next = 0;
  for (const [clients, count] of [
    [1, 500],
    [8, 1_500],
    [32, devices - 2_000],
  ] as const) {
    const began = performance.now();
    const first = next;
    next += count;
    await inParallel(clients, count, async (i) => {
      const { status, text } = await admin.request("POST", DEVICES, device(first + i));
      if (status !== 201) throw new Error(`${status}: ${text}`);
    });
    creates.push({ clients, perSecond: (count * 1000) / (performance.now() - began) });
  }
  const began = performance.now();
  await inParallel(32, 2_000, async (i) => {
    const patch = { status: { lastSeen: new Date(i).toISOString(), protocol: "modbus" } };
    const headers = { "content-type": "application/merge-patch+json" };
    const { status, text } = await admin.request("PATCH", `${DEVICES}/device-${i}/status`, patch, headers);
    if (status !== 200) throw new Error(`${status}: ${text}`);
  });
  const patchesPerSecond = 2_000_000 / (performance.now() - began);
  const lists = [];
  let listBytes = 0;
  for (let i = 0; i < 9; i++) {
    const began = performance.now();
    listBytes = (await admin.request("GET", DEVICES)).text.length;
    lists.push(performance.now() - began);
  }
  return { devices, creates, patchesPerSecond, listMs: lists.sort((a, b) => a - b)[4] ?? 0, listBytes };
}

async function inParallel(workers: number, count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let i = next++; i < count; i = next++) await work(i);
    }),
  );
}

function device(i: number): object {
  return {
    apiVersion: "devices.skerry.dev/v1alpha1",
    kind: "Device",
    metadata: { name: `device-${i}` },
    spec: { model: "boiler", node: `site-${i % 100}`, link: { host: "10.0.0.5" }, station: { unit: i % 247 } },
  };
}
