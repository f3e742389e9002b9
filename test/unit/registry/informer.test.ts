import { describe, expect, test } from "@jest/globals";
import { CoreV1Api, KubeConfig, KubernetesObjectApi, makeInformer, PatchStrategy } from "@kubernetes/client-node";
import { eventually } from "../../rigs/eventually.ts";
import { DEFINITIONS, openTestRegistry, widget, widgets } from "../../rigs/registry.ts";

describe("the client library that others use", () => {
  test("an informer sees objects come, change and go", async () => {
    await using rig = await openTestRegistry();
    const config = new KubeConfig();
    config.loadFromString(rig.kubeconfig);
    const core = config.makeApiClient(CoreV1Api);
    const namespace = "default";
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "early" } } });
    const informer = makeInformer(config, "/api/v1/namespaces/default/configmaps", () =>
      core.listNamespacedConfigMap({ namespace }),
    );
    const seen: string[] = [];
    for (const on of ["add", "update", "delete"] as const)
      informer.on(on, ({ metadata }) => seen.push(`${on} ${metadata?.name}`));
    informer.on("error", () => {});
    await informer.start();
    try {
      await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "late" } } });
      const late = await core.readNamespacedConfigMap({ namespace, name: "late" });
      await core.replaceNamespacedConfigMap({ namespace, name: "late", body: { ...late, data: { a: "b" } } });
      await core.deleteNamespacedConfigMap({ namespace, name: "late" });
      await eventually(() => seen.includes("delete late"));
      expect(seen).toEqual(["add early", "add late", "update late", "delete late"]);
    } finally {
      await informer.stop();
    }
  });

  test("objects of any kind are made and patched", async () => {
    await using rig = await openTestRegistry();
    const config = new KubeConfig();
    config.loadFromString(rig.kubeconfig);
    const objects = KubernetesObjectApi.makeApiClient(config);
    // The library loses the extensions of a schema, so the definition does not go through it.
    await rig.admin.request("POST", DEFINITIONS, widgets());
    const made = widget("a", { size: 1 }, { namespace: "default" });
    await objects.create(made);
    const change = { ...made, spec: { size: 2 } };
    const patched = await objects.patch(change, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch);
    expect(patched).toMatchObject({ spec: { size: 2, colour: "red" } });
  });
});
