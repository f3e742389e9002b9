/** What lists of tags can say: models, commands, many devices in a row each, and what spreadsheets make of cells. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseNumber, parsePairs, printPairs } from "#cli/tags/cells";
import { subjectsOf } from "#cli/tags/columns";
import { parseCsv, printCsv } from "#cli/tags/csv";
import { differenceOf } from "#cli/tags/difference";
import { readTags } from "#cli/tags/read";
import type { Tagged } from "#cli/tags/tagged";
import { deviceTemplate, protocolTemplate } from "#cli/tags/template";
import { writeTags } from "#cli/tags/write";
import { parseWorkbook, printWorkbook } from "#cli/tags/xlsx";
import type { Schemas } from "#devices/expand";
import { drivers } from "#drivers/index";

const loaded = await Promise.all(Object.entries(drivers).map(async ([name, load]) => [name, await load()] as const));
const schemas = new Map<string, Schemas>(loaded);
const read = (text: string, present: readonly Tagged[] = []) =>
  readTags(parseCsv(text), { prefix: "", schemas, present });
const refusals = (text: string, present: readonly Tagged[] = []) =>
  read(text, present).problems.map(({ line, column, message }) => `${line} ${column ?? "-"}: ${message}`);

const meter: Tagged = {
  kind: "DeviceModel",
  name: "meter",
  spec: {
    protocol: "modbus",
    description: "an electricity meter",
    properties: [
      {
        name: "power",
        description: "of all phases, in sum",
        type: "number",
        unit: "W",
        scale: 0.1,
        every: "5s",
        report: { deadband: 1, heartbeat: "60s" },
        address: { table: "input", register: 0, type: "int32" },
      },
      {
        name: "limit",
        type: "integer",
        access: "readwrite",
        minimum: 0,
        maximum: 1e21,
        conflict: "manual",
        address: { table: "holding", register: 10 },
      },
    ],
    commands: [
      { name: "reset", description: "to zero", writes: { limit: 0 }, deadline: "5s" },
      { name: "raise", writes: { limit: 60 } },
    ],
  },
};
const device = (i: number, more: object = {}): Tagged => ({
  kind: "Device",
  name: `m-${i}`,
  spec: {
    model: "meter",
    node: "site-a",
    link: { host: "10.0.0.1", port: 502 },
    station: { unit: (i % 247) + 1 },
    telemetry: { keep: "every" },
    ...more,
  },
});

describe("a list", () => {
  test("declares 300 devices of a model that is there in 300 rows", () => {
    const rows = Array.from({ length: 300 }, (_, i) => `m-${i},meter,site-a,10.0.0.1,502,${(i % 247) + 1},every`);
    const text = ["device,model,node,link.host,link.port,station.unit,telemetry.keep", ...rows].join("\n");
    const { objects, problems } = read(text, [meter]);
    expect(problems).toEqual([]);
    expect(objects).toEqual(Array.from({ length: 300 }, (_, i) => device(i)));
  });

  test("is written as few rows, and says the same when it is read: models, commands, devices and their own addresses", () => {
    const own = { addresses: { power: { table: "input", register: 40, type: "int32" } } };
    const objects = [meter, device(0), device(1, own), device(2)];
    const rows = writeTags(objects);
    expect(rows).toHaveLength(1 + 5 + 3 + 1);
    expect(differenceOf(read(printCsv(rows)).objects, objects).map(({ change }) => change)).toEqual(
      objects.map(() => "unchanged"),
    );
    expect(read(printCsv(rows))).toEqual({ objects, problems: [] });
  });

  test("says the same when it is read as when it was written, whatever stands in it", async () => {
    // Workbooks leave U+FFFD out, the sign that a letter was lost.
    const text = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
      .filter((it) => it.trim() === it && !/[\p{C}\ufffd]/u.test(it));
    const memory = fc.oneof(
      text,
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom("007", "1-2", "1E5", "TRUE", "10.0.0.1"),
    );
    const property = fc.record(
      {
        type: fc.constantFrom("number", "string", "json"),
        description: text,
        unit: text,
        access: fc.constant("readwrite"),
        conflict: fc.constantFrom("cloud", "site", "newest", "manual"),
        every: fc.constantFrom("1s", "250ms"),
        resolution: fc.double({ min: Number.MIN_VALUE, max: 1e9, noNaN: true }),
        address: fc.record({ memory }),
      },
      { requiredKeys: ["type", "access", "address"] },
    );
    const name = fc.constantFrom("a", "b", "constructor", "x-1");
    const model = fc.record({
      properties: fc.dictionary(name, property, { minKeys: 1 }),
      description: text,
      writes: fc.array(text, { minLength: 1, maxLength: 2 }),
    });
    const link = fc.record({ name: text, timeout: fc.constant("2s") }, { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(model, fc.array(link, { maxLength: 3 }), async ({ properties, description, writes }, links) => {
        const parts = Object.entries(properties).map(([name, rest]) => ({ name, ...rest }));
        const strings = parts.filter(({ type }) => type === "string").map(({ name }) => name);
        const commands = strings.map((name) => ({
          name: `set-${name}`,
          description,
          writes: { [name]: writes[0] ?? "" },
        }));
        const spec = {
          protocol: "virtual",
          description,
          properties: parts,
          ...(commands.length > 0 ? { commands } : {}),
        };
        const objects = JSON.parse(
          JSON.stringify([
            { kind: "DeviceModel", name: "m", spec },
            ...links.map((link, i) => ({
              kind: "Device",
              name: `d-${i}`,
              spec: { model: "m", node: "n", link, station: { seed: i } },
            })),
          ]),
        ) as readonly Tagged[];
        const rows = writeTags(objects);
        for (const sheet of [parseCsv(printCsv(rows)), await parseWorkbook(await printWorkbook(rows), "tags.xlsx")]) {
          const { objects: again, problems } = readTags(sheet, { prefix: "", schemas, present: [] });
          expect(problems).toEqual([]);
          expect(differenceOf(again, objects).map(({ change, fields }) => [change, fields])).toEqual(
            objects.map(() => ["unchanged", []]),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test("is the same as a workbook", async () => {
    const objects = [meter, device(0), device(1)];
    const sheet = await parseWorkbook(await printWorkbook(writeTags(objects)), "tags.xlsx");
    expect(readTags(sheet, { prefix: "", schemas, present: [] })).toEqual({ objects, problems: [] });
  });

  test("changes what it speaks of, and leaves other commands, addresses and settings alone", () => {
    const own = { addresses: { limit: { table: "holding", register: 11 } }, link: { host: "10.0.0.9" } };
    const text = [
      "device,model,command,writes,property,address.table,address.register,address.type",
      ",meter,raise,limit=70,,,,",
      "m-1,meter,,,power,input,40,int32",
    ].join("\n");
    const present = [meter, device(1, own)];
    const [model, changed] = differenceOf(read(text, present).objects, present);
    expect(model).toMatchObject({ change: "changed", fields: ["raise"] });
    expect(model?.spec).toMatchObject({ description: "an electricity meter", properties: meter.spec.properties });
    expect(changed).toMatchObject({ change: "changed", fields: ["addresses"] });
    expect(changed?.spec.addresses).toEqual({
      ...own.addresses,
      power: { table: "input", register: 40, type: "int32" },
    });
    expect(changed?.spec.link).toEqual(own.link);
  });

  test("sees that a command writes the same in another order", () => {
    const both = (writes: object): Tagged => {
      return { ...meter, spec: { ...meter.spec, commands: [{ name: "set", writes }] } };
    };
    const [change] = differenceOf([both({ limit: 1, power: 2 })], [both({ power: 2, limit: 1 })]);
    expect(change).toMatchObject({ change: "changed", fields: ["set"] });
  });

  test("may have remarks anywhere, as templates have them", () => {
    const text = "# for site a\ndevice,model,node,link.host\n# name,,,\nm-1,meter,site-a,plc\n#m-2,meter\n";
    expect(read(text, [meter]).objects).toMatchObject([{ name: "m-1", spec: { link: { host: "plc" } } }]);
  });

  test.each([
    ["device,model,node\nm-1,metre,site-a", "2 model: there is no DeviceModel metre, and the list declares none"],
    ["device,model,node,link.host\nm-1,meter,,plc", "2 node: must not be empty"],
    ["device,model,node,link.host\nm-1,meter,site-a,", "2 link.host: "],
    ["device,model,node,station.unit,link.host\nm-1,meter,site-a,900,plc", "2 station.unit: "],
    [
      "device,model,property,address.table\nm-1,meter,pwer,input",
      "2 property: the model meter has no pwer, but power, limit",
    ],
    ["model,link.host\nmeter,plc", "2 link.host: belongs to a device, which this row does not name"],
    ["model,scale\nmeter,1", "2 scale: belongs to a property, which this row does not name"],
    ["model,command,property,writes\nmeter,go,power,limit=1", "2 command: a row has one or a property"],
    ["model,command,writes\nmeter,go,limit", "2 writes: takes PROPERTY=VALUE"],
    ["model,command,writes\nmeter,go,speed=1", "2 writes.speed: the model has no property speed"],
    ["model,command,writes,deadline\nmeter,go,limit=1,5", "2 deadline: "],
    ["model,command,address.method\nmeter,go,ns=1;i=1", "2 address: the modbus driver has no calls; use writes"],
    [
      'device,model,node,description\nm-1,meter,site-a,"a\nm-2,meter,site-a,b',
      "2 description: its quotation mark is not closed",
    ],
    ["device,model,node,link.host\nm..1,meter,site-a,plc", "2 device: m..1 is no name"],
    ["model,protocol,property,type\nPump,modbus,speed,number", "2 model: Pump is no name"],
    ["device,model,telemetry.keep\nm-1,meter,all", "2 telemetry.keep: "],
    ["model,property,type\npump,speed,number", "2 protocol: must not be empty"],
    ["model,protocol,description\npump,modbus,new", "2 -: properties: "],
  ])("%j is refused with row and column", (text, told) => {
    expect(refusals(text, [meter])).toContainEqual(expect.stringContaining(told));
  });
});

describe("cells of a spreadsheet", () => {
  test("of a German one have a decimal comma, semicolons and a mark", () => {
    const head = "\uFEFFdevice;model;node;protocol;property;type;scale;minimum;address.formula";
    const { objects, problems } = read(`${head}\r\nd;m;site-a;virtual;p;number;0,1;-1,5E3;t\r\n`);
    expect(problems).toEqual([]);
    expect(objects[0]?.spec.properties).toMatchObject([{ scale: 0.1, minimum: -1500 }]);
    expect(read(`sep=;\r\n${head.slice(1)}\r\nd;m;site-a;virtual;p;number;0,1;;t`).problems).toEqual([]);
    expect(refusals(`${head.slice(1).replaceAll(";", ",")}\nd,m,site-a,virtual,p,number,"0,1",,t`)).toEqual([
      expect.stringContaining("2 scale: "),
    ]);
  });

  test("that are empty behind the last ones do not count, nor do rows of nothing else", () => {
    const text = "device,model,node,link.host,,\nm-1,meter,site-a,plc,,\n,,,,,\n ,,,,,\n";
    expect(read(text, [meter])).toMatchObject({ objects: [{ name: "m-1" }], problems: [] });
    expect(refusals("device,model,,node\nm-1,meter,,site-a", [meter])).toEqual([
      expect.stringContaining('no column ""'),
    ]);
  });

  test.each<[string, number | string]>([
    ["1E-05", 1e-5],
    ["1.5e+3", 1500],
    ["007", 7],
    ["+3", 3],
    ["1,5", "1,5"],
    ["1.234,5", "1.234,5"],
    ["1e999", "1e999"],
    ["", ""],
    ["0x10", "0x10"],
  ])("%j in a column of numbers is %j", (cell, number) => {
    expect(parseNumber(cell)).toBe(number);
  });

  test("are text where the driver takes nothing else, and say TRUE in their own way", () => {
    const text = [
      "device,model,node,protocol,property,type,address.offset,address.length,link.usb.vendor,link.usb.product,station.id",
      "s-1,scale,site-a,serial,weight,number,0,4,0403,6001,3",
    ].join("\n");
    const { objects, problems } = read(text);
    expect(problems).toEqual([]);
    expect(objects[1]?.spec).toMatchObject({
      link: { usb: { vendor: "0403", product: "6001" } },
      station: { id: "3" },
    });
    const single = "device,model,node,link.host,station.single\nm-1,meter,site-a,plc,TRUE";
    expect(read(single, [meter]).objects).toMatchObject([{ spec: { station: { single: true } } }]);
  });

  test("that became a date are refused, with their row and column", () => {
    const rows = [
      { line: 1, cells: ["device", "model", "node", "link.host"] },
      { line: 2, cells: ["m-1", "meter", "Sun Feb 01 2026", "plc"], refused: new Map([[2, "it is a date"]]) },
    ];
    const { problems } = readTags({ rows }, { prefix: "", schemas, present: [meter] });
    expect(problems).toEqual([{ line: 2, column: "node", message: "it is a date" }]);
  });

  test("of commands give back what they write, in its order", () => {
    expect(parsePairs('pump=true;  speed = 20 ;name="a;b=c"')).toEqual({ pump: true, speed: 20, name: "a;b=c" });
    for (const wrong of ["pump", "=1", "pump=", "a=1; b"]) expect(parsePairs(wrong)).toBeUndefined();
    const name = fc.stringMatching(/^[A-Za-z][\w-]{0,8}$/).filter((text) => text !== "__proto__");
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.dictionary(name, value, { minKeys: 1 }), (made) => {
        const writes = JSON.parse(JSON.stringify(made)) as Record<string, unknown>;
        expect(JSON.stringify(parsePairs(printPairs(writes)))).toBe(JSON.stringify(writes));
      }),
    );
  });
});

describe("a template", () => {
  test.each(loaded)("for %s has columns that import knows, each with what belongs into it", (_, driver) => {
    const [head = [], help = [], ...examples] = protocolTemplate(driver);
    expect(head.filter((name) => subjectsOf(name) === undefined)).toEqual([]);
    expect(new Set(head).size).toBe(head.length);
    expect(head.filter((_, i) => help[i] === "")).toEqual([]);
    expect([help, ...examples].map(([first]) => first?.startsWith("#"))).toEqual([true, true, true, true]);
    expect(read(printCsv([head, help, ...examples]))).toEqual({ objects: [], problems: [] });
  });

  test("for a model has its devices as the example, which is valid as it stands", () => {
    const driver = schemas.get("modbus");
    if (!driver) throw new Error("no modbus");
    const like = device(7).spec;
    const [head = [], , example = [], own = []] = deviceTemplate(meter, driver, like);
    const rows = [head, ...[example, own].map(([first = "", ...rest]) => [first.replace("# meter-1", "m-7"), ...rest])];
    const { objects, problems } = read(printCsv(rows), [meter]);
    expect(problems).toEqual([]);
    expect(objects).toEqual([device(7)]);
  });
});
