/** Lists of tags as workbooks: what is written is read, and problems name the row that the spreadsheet shows. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { execute } from "#cli/program";
import { parseWorkbook, printWorkbook } from "#cli/tags/xlsx";
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
        expect(found.rows.map(({ cells }) => cells)).toEqual(written);
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
    expect((await parseWorkbook(bytes, "a.xlsx")).rows).toEqual([
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
  test("import and export carry all of a namespace through both kinds of files, and name the cells that are wrong", async () => {
    using dir = folder();
    await using registry = await openTestRegistry();
    const kubeconfig = join(dir.path, "kubeconfig");
    writeFileSync(kubeconfig, registry.kubeconfig);
    for (const crd of crds())
      await registry.admin.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
    const run = async (...args: string[]) => {
      const world = fakeWorld({ cwd: dir.path });
      const code = await execute(["device", ...args, "--kubeconfig", kubeconfig], world);
      return { code, ...world.said };
    };

    const wrong = ROW.map((cell) => (cell === "modbus" ? "modbsu" : cell));
    writeFileSync(join(dir.path, "tags.xlsx"), await printWorkbook([HEAD, ROW, [], wrong, [...ROW, "x"]]));
    const refused = await run("import", "tags.xlsx");
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain("tags.xlsx:4: protocol: the model meter speaks modbus above");
    expect(refused.err).toContain("tags.xlsx:5: has 12 cells, the head 11");

    writeFileSync(join(dir.path, "tags.xlsx"), await printWorkbook([HEAD, ROW]));
    expect(await run("import", "tags.xlsx")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/Device +m-1 +created/),
    });
    const more = [
      "model,protocol,command,writes,deadline,description",
      'meter,modbus,reset,power=0; mode="07",5s,"to zero, all"',
    ];
    writeFileSync(join(dir.path, "more.csv"), more.join("\n"));
    expect((await run("import", "more.csv")).err).toContain(
      "more.csv:2: writes.power: power of the model can only be read",
    );
    const property = "model,property,type,access,address.table,address.register,conflict";
    writeFileSync(join(dir.path, "p.csv"), `${property}\nmeter,mode,integer,readwrite,holding,9,manual`);
    expect((await run("import", "p.csv")).out).toMatch(/DeviceModel +meter +changed +mode/);
    writeFileSync(join(dir.path, "more.csv"), more.join("\n").replace('power=0; mode="07"', "mode=7"));
    expect((await run("import", "more.csv")).out).toMatch(/DeviceModel +meter +changed +reset/);

    for (const file of ["all.csv", "all.xlsx"]) {
      expect(await run("export", "--file", file)).toMatchObject({ code: 0, err: `4 rows in ${file}\n` });
      const { out } = await run("import", file, "--dry-run");
      expect(out.match(/unchanged/g)).toHaveLength(2);
    }
    expect((await run("export")).out).toContain('meter,,modbus,,reset,,,,,,mode=7,5s,"to zero, all"');

    const template = await run("export", "--template", "meter");
    const [head, , example, own] = template.out.split("\r\n");
    const rows = [head, example, own].map((row) => row?.replace("# meter-1", "m-2"));
    writeFileSync(join(dir.path, "meters.csv"), rows.join("\n"));
    expect((await run("import", "meters.csv", "--dry-run")).out).toMatch(/Device +m-2 +created/);
    expect(await run("export", "--template", "nothing")).toMatchObject({
      code: 1,
      err: expect.stringContaining("neither"),
    });
  });
});
