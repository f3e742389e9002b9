import { expect, test } from "@jest/globals";
import { Nodes } from "#cloud/nodes";
import { forgetRuns, openStore } from "#cloud/store";
import { silent } from "#std/log";
import { folder } from "../../rigs/folder.ts";

test("a restored cloud takes its nodes for no copies, however often they have started since", () => {
  using dir = folder();
  {
    using db = openStore(dir.path, silent);
    new Nodes(db).entered("site-a", { epoch: "e", run: "before the backup" });
  }
  forgetRuns(dir.path, silent);
  using db = openStore(dir.path, silent);
  const nodes = new Nodes(db);
  expect(nodes.lastRun("site-a")).toBeUndefined();
  nodes.entered("site-a", { epoch: "e", run: "after" });
  expect(nodes.lastRun("site-a")).toEqual({ epoch: "e", run: "after" });
});
