import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { Fault } from "#std/fault";
import type { World } from "../world.ts";
import type { DeviceSource } from "./view.ts";

/** The options by which every command about devices finds them. */
export const sourceOptions = {
  kubeconfig: {
    help: "The cluster. Without it $KUBECONFIG, then .skerry/kubeconfig, then ~/.kube/config.",
    value: "FILE",
  },
  namespace: { help: "Namespace of the devices.", short: "n", value: "NAME", default: "default" },
  allNamespaces: { help: "Devices of all namespaces.", short: "A" },
  site: { help: "Ask a node at a site instead of a cluster, such as http://127.0.0.1:7080.", value: "URL" },
} as const;

interface SourceOptions {
  readonly kubeconfig: string | undefined;
  readonly namespace: string;
  readonly allNamespaces: boolean;
  readonly site: string | undefined;
}

/** Opens the place that the options name. @throws {Fault} `CLUSTER_UNREACHABLE` when no kubeconfig is to be found. */
export async function openDevices(options: SourceOptions, world: World): Promise<DeviceSource> {
  const { site, kubeconfig, namespace, allNamespaces } = options;
  const { clock } = world;
  // Each is loaded when it is asked for: a command should answer before one thinks of waiting.
  if (site !== undefined) return (await import("./site.ts")).openSiteDevices({ url: site, clock });
  const path = kubeconfigOf(kubeconfig, world);
  const { openKubeDevices } = await import("./kube.ts");
  return openKubeDevices({ kubeconfig: path, namespace: allNamespaces ? undefined : namespace, clock });
}

/** The kubeconfig that was named, or that is meant when none was. @throws {Fault} `CONFIG_INVALID` when it is not there. */
export function kubeconfigOf(named: string | undefined, world: Pick<World, "env" | "cwd" | "root">): string {
  const path = named === undefined ? findKubeconfig(world) : resolve(world.cwd, named);
  if (existsSync(path)) return named ?? path;
  throw new Fault("CONFIG_INVALID", `there is no kubeconfig ${path}`, {
    hint: "Correct --kubeconfig or $KUBECONFIG. A registry writes its own: run dev to .skerry/kubeconfig, run cloud into its dataDir.",
  });
}

/** The kubeconfig that is meant when none was named. */
function findKubeconfig({ env, cwd, root }: Pick<World, "env" | "cwd" | "root">): string {
  const { KUBECONFIG = "", HOME } = env;
  const [first] = KUBECONFIG.split(delimiter).filter((path) => path !== "");
  if (first !== undefined) return first;
  const own = [join(cwd, ".skerry/kubeconfig"), join(root, ".skerry/kubeconfig")];
  const usual = HOME === undefined ? own : [...own, join(HOME, ".kube/config")];
  const found = usual.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Fault(
    "CLUSTER_UNREACHABLE",
    "no cluster is known: neither .skerry/kubeconfig nor ~/.kube/config is there",
    {
      hint: "Start one with edgeadm run dev, name one with --kubeconfig, or ask a site with --site.",
    },
  );
}
