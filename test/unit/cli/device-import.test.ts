/** Lists of tags: cells, records, rows in and out, and what an import would change. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { execute } from "#cli/program";
import { columnsOf, parseCell, printCell, recordOf } from "#cli/tags/cells";
import { parseCsv, printCsv } from "#cli/tags/csv";
import { differenceOf } from "#cli/tags/difference";
import { readTags } from "#cli/tags/read";
import type { Tagged } from "#cli/tags/tagged";
import { writeTags } from "#cli/tags/write";
import { modbus } from "#drivers/modbus/index";
import { fakeWorld } from "./fake-world.ts";

const schemas = new Map([["modbus", modbus() as never]]);
const read = (text: string, { prefix = "", present = [] as readonly Tagged[] } = {}) => {
  const { objects, problems } = readTags(parseCsv(text), { prefix, schemas, present });
  const told = problems.map(({ line, column, message }) => ({
    line,
    message: column ? `${column}: ${message}` : message,
  }));
  return { objects, problems: told };
};
const HEAD = "device,model,node,protocol,property,type,unit,address.table,address.register,link.host,station.unit";
const ROW = "m-1,meter,site-a,modbus,power,number,W,input,0,plc,1";

describe("comma-separated values", () => {
  test.each<[string, string, readonly (readonly string[])[]]>([
    [
      "plain records",
      "a,b\r\n1,2\r\n",
      [
        ["a", "b"],
        ["1", "2"],
      ],
    ],
    [
      "no end of line at the end",
      "a,b\n1,2",
      [
        ["a", "b"],
        ["1", "2"],
      ],
    ],
    ["quotes, separators and lines within quotes", '"a,""b""\nc",d', [['a,"b"\nc', "d"]]],
    [
      "empty cells, and no empty lines",
      "a,,\n\n,,b\n",
      [
        ["a", "", ""],
        ["", "", "b"],
      ],
    ],
    [
      "semicolons, and the mark of Windows",
      "\uFEFFa;b\n1,5;2",
      [
        ["a", "b"],
        ["1,5", "2"],
      ],
    ],
  ])("has %s", (_, text, cells) => {
    expect(parseCsv(text).rows.map((row) => row.cells)).toEqual(cells);
  });

  test("know the line where a record begins", () => {
    expect(parseCsv('a\n"b\nc"\nd').rows.map(({ line }) => line)).toEqual([1, 2, 4]);
  });

  test("are read as they were written", () => {
    const cell = fc.string().filter((text) => text !== "");
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1 }), (rows) => {
        const written = [["a", "b"], ...rows];
        expect(parseCsv(printCsv(written)).rows.map(({ cells }) => cells)).toEqual(written);
      }),
    );
  });
});

describe("cells", () => {
  test("give back every JSON value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as unknown;
        if (json === "" || json === null) return;
        expect(parseCell(printCell(json))).toEqual(json);
      }),
    );
  });

  test("below a name are a record", () => {
    const cells = new Map([
      ["link.host", "plc"],
      ["link.tls.pin", "ab"],
      ["link.port", "502"],
      ["link.path", ""],
      ["x", "1"],
    ]);
    const record = { host: "plc", tls: { pin: "ab" }, port: 502 };
    expect(recordOf(cells, "link")).toEqual(record);
    expect(columnsOf(record, "link")).toEqual([
      ["link.host", "plc"],
      ["link.tls.pin", "ab"],
      ["link.port", "502"],
    ]);
    expect(Object.getPrototypeOf(recordOf(new Map([["link.__proto__", "1"]]), "link"))).toBe(Object.prototype);
  });
});

describe("a list", () => {
  test("declares models and devices, and is written as it was read", () => {
    const text = [
      HEAD,
      ROW,
      ROW.replace("power", "energy").replace(",0,", ",4,"),
      ROW.replace("m-1", "m-2").replace(/1$/, "2"),
    ];
    const { objects, problems } = read(text.join("\n"));
    expect(problems).toEqual([]);
    expect(objects.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "DeviceModel meter",
      "Device m-1",
      "Device m-2",
    ]);
    expect(objects[1]?.spec).toEqual({ model: "meter", node: "site-a", link: { host: "plc" }, station: { unit: 1 } });
    const again = read(printCsv(writeTags(objects)));
    expect(again).toEqual({ objects, problems: [] });
  });

  test("gives a device addresses of its own where they differ from the model's", () => {
    const { objects } = read([HEAD, ROW, ROW.replace("m-1", "m-2").replace(",0,", ",40,")].join("\n"));
    expect(objects[2]?.spec.addresses).toEqual({ power: { table: "input", register: 40 } });
  });

  test("has scales, resolutions and rules of reporting", () => {
    const more = ",scale,offset,resolution,report.deadband,report.heartbeat";
    const { objects, problems } = read(`${HEAD}${more}\n${ROW},0.1,-40,0.5,1,60s`);
    expect(problems).toEqual([]);
    const rules = { scale: 0.1, offset: -40, resolution: 0.5, report: { deadband: 1, heartbeat: "60s" } };
    expect(objects[0]?.spec.properties).toMatchObject([rules]);
    expect(read(printCsv(writeTags(objects)))).toEqual({ objects, problems: [] });
    const wrong = read(`${HEAD}${more}\n${ROW},0,x,0,-1,60`).problems;
    expect(wrong.map(({ message }) => message.replace(/:.*/, ""))).toEqual(
      expect.arrayContaining(["offset", "resolution", "report.deadband", "report.heartbeat"]),
    );
  });

  test("may put something before the names of models", () => {
    expect(read(`${HEAD}\n${ROW}`, { prefix: "acme-" }).objects.map(({ name }) => name)).toEqual(["acme-meter", "m-1"]);
  });

  test.each([
    ["an unknown column", [`${HEAD},colour`, `${ROW},red`], 1, 'there is no column "colour"'],
    ["a missing column", [HEAD.replace("model,", "modell,"), ROW], 1, "the column model is missing"],
    ["an empty cell that is needed", [HEAD, ROW, ROW.replace("number", "")], 3, "type: must not be empty"],
    [
      "an unknown driver",
      [HEAD, ROW.replace("modbus", "modbsu")],
      2,
      "protocol: there is no driver modbsu, but modbus",
    ],
    ["a wrong address", [HEAD, ROW.replace("input", "inputs")], 2, "address.table: "],
    ["a wrong type", [HEAD, ROW.replace("number", "nmber")], 2, "type: "],
    ["a wrong link", [HEAD.replace("link.host", "link.hst"), ROW], 2, "link.hst: unknown field"],
    [
      "another link of the same device",
      [HEAD, ROW, ROW.replace("power", "p").replace("plc", "plc2")],
      3,
      "link: m-1 has another",
    ],
    [
      "another type of the same property",
      [HEAD, ROW, ROW.replace("m-1", "m-2").replace("number", "integer")],
      3,
      "property: power",
    ],
    ["a name that is none", [HEAD, ROW.replace("m-1", "M 1")], 2, "device: M 1 is no name"],
    ["too many cells", [HEAD, `${ROW},x`], 2, "has 12 cells, the head 11"],
  ])("with %s is refused whole, with its line", (_, lines, line, message) => {
    const { objects, problems } = read(lines.join("\n"));
    expect(objects).toEqual([]);
    expect(problems).toContainEqual({ line, message: expect.stringContaining(message) });
  });
});

test("an import adds and changes, and touches nothing that the list does not speak of", () => {
  const { objects } = read(`${HEAD}\n${ROW}`);
  const property = { name: "power", type: "number", unit: "W", address: { table: "input", register: 0 }, scale: 0.1 };
  const other = { name: "phase", type: "integer", address: { table: "input", register: 9 } };
  const present: Tagged[] = [
    {
      kind: "DeviceModel",
      name: "meter",
      spec: { protocol: "modbus", description: "x", properties: [property, other] },
    },
    { kind: "Device", name: "m-1", spec: { ...objects[1]?.spec, node: "site-b", desired: { power: 1 } } },
  ];
  const [model, device] = differenceOf(objects, present);
  expect(model).toMatchObject({ change: "unchanged", spec: present[0]?.spec });
  expect(device).toMatchObject({
    change: "changed",
    fields: ["node"],
    spec: { node: "site-a", desired: { power: 1 } },
  });
  const ruled = read(`${HEAD},report.deadband\n${ROW},2`).objects;
  const beating = { ...property, report: { heartbeat: "60s" } };
  const [merged] = differenceOf(ruled, [
    { kind: "DeviceModel", name: "meter", spec: { protocol: "modbus", properties: [beating] } },
  ]);
  expect(merged?.spec.properties).toMatchObject([{ report: { heartbeat: "60s", deadband: 2 } }]);
  expect(differenceOf(objects, []).map(({ change }) => change)).toEqual(["created", "created"]);
});

test("a workbook of another kind is refused with the way out", async () => {
  const world = fakeWorld();
  expect(await execute(["device", "import", "tags.xls"], world)).toBe(2);
  expect(world.said.err).toContain("hint: Save it as .xlsx");
});
