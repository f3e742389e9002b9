import { admit } from "#devices/expand";
import { type PropertySpec, propertySpec } from "#devices/model";
import type { Value } from "#devices/value";
import { Fault } from "#std/fault";
import type { DeviceView, PropertyView, Wish } from "./view.ts";

/**
 * Reads `setpoint=65 pump=on` as wishes for a device, by the types of its model.
 * @throws {Fault} `USAGE_INVALID`, `PROPERTY_UNKNOWN`, `PROPERTY_READ_ONLY`, `VALUE_INVALID`, `VALUE_OUT_OF_RANGE`.
 */
export function parseWishes(device: DeviceView, texts: readonly string[]): readonly Wish[] {
  const wishes = texts.map((text) => {
    const [, name = "", value = ""] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === "")
      throw new Fault("USAGE_INVALID", `"${text}" is no wish`, { hint: "Write PROPERTY=VALUE, such as setpoint=65." });
    const property = device.properties.find((it) => it.name === name);
    if (property?.type === undefined) return { property: name, value };
    return { property: name, value: parseValue(property, value) };
  });
  const names = wishes.map(({ property }) => property);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Fault("USAGE_INVALID", `${twice} can be wished once, not twice at once`);
  for (const { property, value } of wishes) admit(admissible(device), property, value);
  return wishes;
}

/** A text as a value of a property's type. @throws {Fault} `VALUE_INVALID` */
export function parseValue({ name, type }: Pick<PropertyView, "name" | "type">, text: string): Value {
  const refuse = (wanted: string) => new Fault("VALUE_INVALID", `${name} can not be "${text}": it takes ${wanted}`);
  switch (type) {
    case "boolean": {
      const known = { true: true, on: true, "1": true, false: false, off: false, "0": false };
      if (!Object.hasOwn(known, text)) throw refuse("true or false, on or off");
      return known[text as keyof typeof known];
    }
    case "integer":
      if (!/^[+-]?\d+$/.test(text)) throw refuse("an integer");
      // Beyond 2^53 a number would lie by some units; the exact digits travel as text.
      return Number.isSafeInteger(Number(text)) ? Number(text) : text.replace(/^\+/, "");
    case "number":
      if (text.trim() === "" || !Number.isFinite(Number(text))) throw refuse("a number");
      return Number(text);
    case "json":
      try {
        return JSON.parse(text) as Value;
      } catch {
        throw refuse("JSON");
      }
    default:
      return text;
  }
}

/** What is known of the properties, in the form in which wishes are judged everywhere. */
function admissible({ name, model, properties }: DeviceView): { readonly name: string; properties: PropertySpec[] } {
  const known = properties.filter(({ type }) => type !== undefined);
  if (known.length === 0) throw new Fault("MODEL_UNKNOWN", `${name} has no known model ${model}`);
  return {
    name,
    properties: known.map(({ name, type, access, minimum, maximum }) =>
      propertySpec.parse({ name, type, access, minimum, maximum, address: {} }),
    ),
  };
}
