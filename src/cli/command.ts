import type { World } from "./world.ts";

/** An option. With `value` it takes one, without it is a switch. */
export interface OptionSpec {
  readonly help: string;
  /** One letter. */
  readonly short?: string;
  /** What the value is called in the help, such as `FILE`. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly default?: string;
  readonly required?: true;
  /** May be given several times. */
  readonly many?: true;
  /** A switch that is on until `--no-NAME` turns it off. */
  readonly negated?: true;
}

/** A positional argument. */
export interface ArgumentSpec {
  readonly help: string;
  readonly choices?: readonly string[];
  readonly optional?: true;
  /** Takes all that follow; at least one. */
  readonly many?: true;
}

/** By name in camel case; the flag of `dryRun` is `--dry-run`. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;
/** By name, in their order. */
export type ArgumentTable = Readonly<Record<string, ArgumentSpec>>;

type Text<S> = S extends { readonly choices: readonly (infer C extends string)[] } ? C : string;
type OptionValue<S> = S extends { readonly value: string }
  ? S extends { readonly many: true }
    ? readonly string[]
    : Text<S> | (S extends { readonly default: string } | { readonly required: true } ? never : undefined)
  : boolean;
type ArgumentValue<S> = S extends { readonly many: true }
  ? readonly string[]
  : Text<S> | (S extends { readonly optional: true } ? undefined : never);

/** What the user gave. */
export interface Input<O extends OptionTable, A extends ArgumentTable> {
  readonly options: { readonly [name in keyof O]: OptionValue<O[name]> };
  readonly args: { readonly [name in keyof A]: ArgumentValue<A[name]> };
}

/** A command is data: the parser, `--help`, the shell completion and `docs/cli.md` all read it. */
export interface Command<O extends OptionTable = OptionTable, A extends ArgumentTable = ArgumentTable> {
  /** Such as `device set`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** What the sentence leaves out. */
  readonly details?: string;
  readonly args: A;
  readonly options: O;
  /** Commands to copy, each with what it does. */
  readonly examples: readonly (readonly [command: string, does: string])[];
  /** Resolves when it is done; faults go to who called. */
  run(input: Input<O, A>, world: World): Promise<void>;
}

/** Declares a command and types its input from its options and arguments. */
export function command<const O extends OptionTable, const A extends ArgumentTable>(it: Command<O, A>): Command<O, A> {
  return it;
}

/** What the help adds to an option that may be given several times. */
export const REPEATED = " May be repeated.";

/** The flag of an option: `dryRun` is `--dry-run`. */
export function flagOf(name: string, { negated }: OptionSpec): string {
  return `--${negated ? "no-" : ""}${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** An argument as it stands in a usage line. */
export function usageOf(name: string, { optional, many }: ArgumentSpec): string {
  const shown = `${name.toUpperCase()}${many ? "..." : ""}`;
  return optional ? `[${shown}]` : shown;
}
