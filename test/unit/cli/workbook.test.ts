/** Lists of tags as workbooks: what is written is read, and problems name the row that the spreadsheet shows. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseWorkbook, printWorkbook } from "#cli/devices/xlsx";
import { execute } from "#cli/program";
import { crds } from "#devices/crd";
import { Fault } from "#std/fault";
import { folder } from "../../rigs/folder.ts";
import { openTestRegistry } from "../../rigs/registry.ts";
import { fakeWorld } from "./fake-world.ts";

const HEAD =
  "device model node protocol property type scale report.deadband address.table address.register link.host".split(" ");
const ROW = "m-1 meter site-a modbus power number 0.1 2 input 7 plc".split(" ");

describe("a workbook", () => {
  test("is read as it was written", async () => {
    const letters = fc.constantFrom(..."aZ0.-\"<&>' _x41é\n".split(""), "_x0041_", "1e21", "007", "true");
    const cell = fc.array(letters, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
    const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(rows, async (written) => {
        const found = await parseWorkbook(await printWorkbook(written), "a.xlsx");
        expect(found.map(({ cells }) => cells)).toEqual(written);
      }),
      { numRuns: 40 },
    );
  });

  test("counts empty rows, and leaves them out with the empty cells at the end", async () => {
    const bytes = await printWorkbook([
      ["", ""],
      ["a", "b"],
      ["", ""],
      ["1", ""],
    ]);
    expect(await parseWorkbook(bytes, "a.xlsx")).toEqual([
      { line: 2, cells: ["a", "b"] },
      { line: 4, cells: ["1"] },
    ]);
  });

  test.each(["", "device,model", "PK\u0003\u0004 and no more"])("is not %j", async (text) => {
    const found = await parseWorkbook(Buffer.from(text), "a.xlsx").catch((error: unknown) => error);
    expect(Fault.is(found, "CONFIG_INVALID")).toBe(true);
  });
});

describe("edgeadm device", () => {
  test("import names the rows of a workbook that are wrong", async () => {
    using dir = folder();
    const wrong = ROW.map((cell) => (cell === "modbus" ? "modbsu" : cell));
    writeFileSync(join(dir.path, "tags.xlsx"), await printWorkbook([HEAD, ROW, [], wrong, [...ROW, "x"]]));
    const world = fakeWorld({ cwd: dir.path });
    expect(await execute(["device", "import", "tags.xlsx"], world)).toBe(1);
    expect(world.said.err).toContain("tags.xlsx:4: protocol: there is no driver modbsu");
    expect(world.said.err).toContain("tags.xlsx:5: has 12 cells, the head 11");
  });

  test("import declares a workbook, and export writes one that changes nothing", async () => {
    using dir = folder();
    await using registry = await openTestRegistry();
    const kubeconfig = join(dir.path, "kubeconfig");
    writeFileSync(kubeconfig, registry.kubeconfig);
    for (const crd of crds())
      await registry.admin.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
    writeFileSync(join(dir.path, "tags.xlsx"), await printWorkbook([HEAD, ROW]));
    const run = async (...args: string[]) => {
      const world = fakeWorld({ cwd: dir.path });
      const code = await execute(["device", ...args, "--kubeconfig", kubeconfig], world);
      return { code, ...world.said };
    };
    const done = await run("import", "tags.xlsx");
    expect(done).toMatchObject({ code: 0, out: expect.stringMatching(/Device +m-1 +created/) });
    expect(await run("export", "--file", "again.xlsx")).toMatchObject({ code: 0, err: "1 rows in again.xlsx\n" });
    const { out } = await run("import", "again.xlsx", "--dry-run");
    expect(out.match(/unchanged/g)).toHaveLength(2);
  });
});
