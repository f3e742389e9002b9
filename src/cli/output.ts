import { printYaml } from "#std/yaml";
import { print, type World } from "./world.ts";

/** The option that every command with a result has. */
export const outputOption = {
  help: "How the result is printed.",
  short: "o",
  value: "FORMAT",
  choices: ["table", "json", "yaml"],
  default: "table",
} as const;

export type Format = (typeof outputOption.choices)[number];

/** Prints a result: as it is in JSON or YAML, or as the lines that people read. */
export function show(world: World, format: Format, value: unknown, lines: () => readonly string[]): void {
  if (format === "json") print(world, JSON.stringify(value, null, 2));
  else if (format === "yaml") world.out.write(printYaml(value));
  else for (const line of lines()) print(world, line);
}
