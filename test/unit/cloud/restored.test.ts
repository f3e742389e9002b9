import { expect, test } from "@jest/globals";
import { Nodes } from "#cloud/nodes";
import { forgetRuns, openStore } from "#cloud/store";
import { silent } from "#std/log";
import { folder } from "../../rigs/folder.ts";

test("a restored cloud takes its nodes for no copies, however often they have started since", async () => {
  using dir = folder();
  {
    using db = openStore(dir.path, silent);
    await new Nodes(db).enter("site-a", { epoch: "e", run: "before the backup" }, () => true);
  }
  forgetRuns(dir.path, silent);
  using db = openStore(dir.path, silent);
  const nodes = new Nodes(db);
  expect(nodes.lastRun("site-a")).toBeUndefined();
  await nodes.enter("site-a", { epoch: "e", run: "after" }, () => true);
  expect(await nodes.enter("site-a", { epoch: "e", run: "a copy" }, () => false)).toBe(false);
  expect(nodes.lastRun("site-a")).toEqual({ epoch: "e", run: "after" });
});
