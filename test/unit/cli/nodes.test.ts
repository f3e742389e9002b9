import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import type { Cloud } from "#cloud/main";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { type FakeCluster, openFakeCluster } from "../cloud/fake-cluster.ts";
import { connect, join, plantOn } from "../cloud/rig.ts";
import { fakeWorld } from "./fake-world.ts";

let dir: ReturnType<typeof folder>;
let cluster: FakeCluster;
let cloud: Cloud;

beforeEach(async () => {
  dir = folder();
  cluster = await openFakeCluster();
  cloud = await plantOn(cluster, { dataDir: dir.path });
});
afterEach(async () => {
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

async function run(...line: string[]) {
  const world = fakeWorld();
  return { code: await execute(line, world), ...world.said };
}

test("nodes are listed with what the cloud knows of them, and a second machine is remarked", async () => {
  const tls = await join(cloud, "site-a");
  await join(cloud, "site-b");
  using first = await connect(cloud, "site-a", { tls });
  await eventually(() => first.of("welcome").length === 1);
  expect((await run("node", "list", "--cloud", cloud.urls.api)).err).toBe("");
  using second = await connect(cloud, "site-a", { tls, run: "of another machine" });
  await eventually(() => second.isClosed);
  const { out, err } = await run("node", "list", "--cloud", cloud.urls.api);
  expect(out).toMatch(
    /^NAME +STATE +SEEN +DUPLICATE +PROGRAM\nsite-a +connected +now +0s ago +fake edge\nsite-b +never/,
  );
  expect(err).toContain("two machines have the identity of site-a");
});

test("a node is shut out beside the running cloud, and one that is not there is not", async () => {
  using edge = await connect(cloud, "site-a");
  await eventually(() => edge.of("welcome").length === 1);
  expect(await run("node", "refuse", "site-a", "--data-dir", dir.path)).toMatchObject({
    code: 0,
    out: "site-a is shut out\n",
  });
  await eventually(() => edge.isClosed);
  expect((await run("node", "list", "--cloud", cloud.urls.api)).out).toMatch(/site-a +shut out/);
  expect(await run("node", "refuse", "site-x", "--data-dir", dir.path)).toMatchObject({
    code: 2,
    err: expect.stringContaining("there is no node site-x"),
  });
});
