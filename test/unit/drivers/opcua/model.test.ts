import { expect, test } from "@jest/globals";
import { accessOf, type Found } from "#drivers/opcua/browse";
import { modelOf, typeOf } from "#drivers/opcua/model";

const variable = (path: string, type = "Double", access: Found["access"] = "read"): Found => ({
  path,
  nodeId: `nsu=urn:x;s=${path}`,
  class: "variable",
  type,
  ...(access ? { access } : {}),
});

test("properties are named by the shortest end of their paths that tells them apart", () => {
  const selection = [variable("A/Pump/Speed"), variable("B/Pump/Speed"), variable("B/Level"), variable("B/Level")];
  const { properties } = modelOf(selection, "line", "devices.skerry.dev/v1alpha1").spec;
  expect(properties.map(({ name }) => name)).toEqual(["A_Pump_Speed", "B_Pump_Speed", "B_Level", "B_Level-2"]);
});

test("names have only the letters that a property may have, and at most 63", () => {
  const selection = [variable("Ofen/Temperatur °C"), variable("1st/#2"), variable(`x/${"y".repeat(100)}`)];
  for (const { name } of modelOf(selection, "line", "v").spec.properties) expect(name).toMatch(/^[A-Za-z][\w-]{0,62}$/);
});

test("what is no variable, or can neither be read nor written, is left out", () => {
  const method: Found = { path: "Reset", nodeId: "s=Reset", class: "method" };
  expect(modelOf([method, variable("Secret", "Double", "none")], "line", "v").spec.properties).toEqual([]);
});

test.each([
  ["Boolean", "boolean"],
  ["SByte", "integer"],
  ["UInt64", "integer"],
  ["Float", "number"],
  ["String", "string"],
  ["DateTime", "string"],
  ["ByteString", "bytes"],
  ["ExtensionObject", "json"],
  ["Int32[]", "json"],
])("%s becomes %s", (type, property) => {
  expect(typeOf(type)).toBe(property);
});

test.each([
  [0, "none"],
  [1, "read"],
  [2, "write"],
  [3, "readwrite"],
  [7, "readwrite"],
])("access level %i is %s", (level, access) => {
  expect(accessOf(level)).toBe(access);
});
