import { type Kube, openKube } from "#cloud/kube/client";
import { loadKubeconfig } from "#cloud/kube/kubeconfig";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";

/**
 * Opens the cluster of a kubeconfig. One that does not answer is known to the user by the file that led there.
 * @throws {Fault} `CONFIG_INVALID` when the file leads nowhere.
 */
export async function openNamedKube(kubeconfig: string, clock: Clock): Promise<Kube> {
  const kube = openKube(await loadKubeconfig({ path: kubeconfig }), clock);
  const tell = (error: unknown) => {
    if (!Fault.is(error, "CLUSTER_UNREACHABLE")) throw error;
    throw new Fault("CLUSTER_UNREACHABLE", `the cluster of ${kubeconfig} does not answer: ${error.message}`, {
      cause: error,
      hint: "Check that it runs, that the kubeconfig is still its own, and the network; --kubeconfig names another.",
    });
  };
  return {
    ...kube,
    get: (...asked) => kube.get(...asked).catch(tell),
    list: (...asked) => kube.list(...asked).catch(tell),
    create: (...asked) => kube.create(...asked).catch(tell),
    update: (...asked) => kube.update(...asked).catch(tell),
    patch: (...asked) => kube.patch(...asked).catch(tell),
  };
}
