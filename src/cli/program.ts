/** The door to commander: turns the table of commands into a parser with help, and runs what the user asks for. */
import { Argument, Command as Commander, CommanderError, Option } from "commander";
import { Fault } from "#std/fault";
import {
  type ArgumentSpec,
  type Command,
  flagOf,
  type OptionSpec,
  type OptionTable,
  REPEATED,
  usageOf,
} from "./command.ts";
import { commands, groups } from "./commands.ts";
import { exitCodes, fail, wantsJson } from "./failure.ts";
import type { World } from "./world.ts";

/** Runs a command line and returns the exit code. Everything that goes wrong is told here, once. */
export async function execute(args: readonly string[], world: World): Promise<number> {
  try {
    const program = build(world);
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...args], { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok;
    const failure = error instanceof CommanderError ? usage(error, args) : error;
    return fail(failure, { asJson: wantsJson(args) }, world);
  }
}

function build(world: World): Commander {
  const program = dress(new Commander("edgeadm"), world)
    .description("Runs and asks the Skerry edge stack: nodes at sites, the cloud, and the devices they drive.")
    .usage("COMMAND [OPTIONS]");
  examples(program, world, [
    ["edgeadm run dev", "everything in one process, with simulated devices"],
    ["edgeadm device list", "the devices and what they say"],
    ["edgeadm device set boiler-1 setpoint=65", "wish a value and see what became of it"],
  ]);
  for (const it of commands) add(program, it, world);
  return program;
}

function add(program: Commander, it: Command, world: World): void {
  const [first = "", second] = it.name.split(" ");
  const parent = second === undefined ? program : group(program, first, world);
  const own = dress(parent.command(second ?? first), world)
    .summary(it.summary)
    .description(it.details === undefined ? it.summary : `${it.summary}\n\n${it.details}`);
  for (const [name, spec] of Object.entries(it.args)) own.addArgument(argument(name, spec));
  for (const [name, spec] of Object.entries(it.options)) own.addOption(option(name, spec));
  const names = Object.keys(it.args);
  own.usage([...Object.entries(it.args).map(([name, spec]) => usageOf(name, spec)), "[OPTIONS]"].join(" "));
  examples(own, world, it.examples);
  own.action(async (...given: unknown[]) => {
    const args = Object.fromEntries(names.map((name, i) => [name, given[i]]));
    const options = { ...standards(it.options), ...own.opts() };
    await it.run({ args, options } as Parameters<Command["run"]>[0], world);
  });
}

/** What options are when nobody gave them, beyond the defaults that the help shows. */
function standards(options: OptionTable): Readonly<Record<string, false | readonly string[]>> {
  const isSwitch = ({ value, negated }: OptionSpec) => value === undefined && !negated;
  const found = Object.entries(options).filter(([, spec]) => spec.many || isSwitch(spec));
  return Object.fromEntries(found.map(([name, { many }]) => [name, many ? [] : false]));
}

function group(program: Commander, name: string, world: World): Commander {
  const known = program.commands.find((it) => it.name() === name);
  if (known) return known;
  return dress(program.command(name), world)
    .summary(groups[name] ?? "")
    .description(groups[name] ?? "")
    .usage("COMMAND [OPTIONS]");
}

/** What all of them share: nothing ends the process, and everything is written to the world. */
function dress(it: Commander, world: World): Commander {
  return it
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.out.write(text),
      writeErr: () => undefined,
      getOutHelpWidth: () => Math.min(world.out.columns, 100),
      getOutHasColors: () => false,
    })
    .configureHelp({
      styleTitle: (title) => title.replace(/:$/, "").toUpperCase(),
      subcommandTerm: (it) => it.name(),
      subcommandDescription: summaryOf,
    })
    .helpOption("-h, --help", "Shows this.")
    .helpCommand(false);
}

/** A group with all its commands, so that one look at the help shows everything, and no column is as wide as the list. */
function summaryOf(it: Commander): string {
  const inner = it.commands.map((command) => command.name()).join(", ");
  return inner === "" ? it.summary() : `${it.summary()} Commands: ${inner}.`;
}

function option(name: string, spec: OptionSpec): Option {
  const { help, short, value, choices, default: standard, many, required } = spec;
  const flags = `${short === undefined ? "" : `-${short}, `}${flagOf(name, spec)}${value === undefined ? "" : ` <${value}>`}`;
  const made = new Option(flags, `${help}${many ? REPEATED : ""}${required ? " Required." : ""}`);
  if (choices) made.choices(choices);
  if (required) made.makeOptionMandatory();
  if (standard !== undefined) made.default(standard);
  if (many) made.argParser((text: string, before: readonly string[] = []) => [...before, text]);
  return made;
}

function argument(name: string, { help, choices, optional, many }: ArgumentSpec): Argument {
  const dots = many ? "..." : "";
  const made = new Argument(optional ? `[${name}${dots}]` : `<${name}${dots}>`, help);
  return choices ? made.choices(choices) : made;
}

function examples(it: Commander, { out }: World, list: Command["examples"]): void {
  const width = Math.max(...list.map(([line]) => line.length));
  const beside = list.map(([line, does]) => `  ${line.padEnd(width)}   ${does}`);
  const isWide = width > 60 || beside.some((line) => line.length > (out.isTty ? out.columns : PIPE));
  const lines = isWide ? list.map(([line, does]) => `  # ${does}\n  ${line}`) : beside;
  it.addHelpText("after", `\nEXAMPLES\n${lines.join("\n")}`);
}

/** Columns of nobody knows what. */
const PIPE = 120;

/** What commander says of a wrong command line, as a fault with a hint that leads to the help. */
function usage({ code, message }: CommanderError, args: readonly string[]): Fault {
  const [group = ""] = args;
  if (code === "commander.help") {
    const known = commands.map(({ name }) => name.split(" ")).filter(([first]) => first === group);
    const words = known.map(([, second]) => second).join(", ");
    return new Fault("USAGE_INVALID", `${group} needs a command: ${words}`, { hint: `See edgeadm ${group} --help` });
  }
  const [text = "", ...more] = message.replace(/^error: /, "").split("\n");
  if (group === "help") return new Fault("USAGE_INVALID", text, { hint: `See ${helpOf(args.slice(1))}` });
  if (group === "--version" || group === "-V")
    return new Fault("USAGE_INVALID", text, { hint: "The version is told by edgeadm version" });
  const suggestion = more.join(" ").replace(/^\(|\)$/g, "");
  const help = helpOf(args);
  return new Fault("USAGE_INVALID", text, { hint: suggestion === "" ? `See ${help}` : `${suggestion} See ${help}` });
}

/** The help that fits words of a command line best. */
function helpOf(args: readonly string[]): string {
  const names = [args.slice(0, 2).join(" "), args[0] ?? ""];
  const about = names.find((name) => commands.some((it) => it.name === name) || Object.hasOwn(groups, name));
  return `edgeadm ${about === undefined ? "" : `${about} `}--help`;
}
