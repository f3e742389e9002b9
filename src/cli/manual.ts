import { type Command, flagOf, type OptionSpec, REPEATED, usageOf } from "./command.ts";
import { exitCodes } from "./failure.ts";

/** The reference of the command line as Markdown: `docs/cli.md` is printed from it. */
export function manual(commands: readonly Command[], groups: Readonly<Record<string, string>>): string {
  const { ok, fault, usage, unreachable } = exitCodes;
  const list = commands.map(
    ({ name, summary }) => `| [\`edgeadm ${name}\`](#edgeadm-${name.replaceAll(" ", "-")}) | ${summary} |`,
  );
  return `# edgeadm

The only program. \`edgeadm --help\` and \`edgeadm COMMAND --help\` say the same as this page.

| Command | What it does |
| --- | --- |
${list.join("\n")}

Results go to standard output, everything else to standard error. A fault is told in two lines, \`edgeadm: ...\` and
\`hint: ...\`, or as JSON when the command was asked for \`-o json\`; its codes are in [faults.md](faults.md).

| Exit code | Meaning |
| --- | --- |
| ${ok} | It is done. |
| ${fault} | A fault; the message names it. |
| ${usage} | The command line was wrong. |
| ${unreachable} | The cluster or the site does not answer. |
| ${exitCodes.interrupted} | Interrupted by a signal before it was done. |

${Object.entries(groups)
  .map(([name, text]) => `- \`edgeadm ${name}\`: ${text}`)
  .join("\n")}

${commands.map(section).join("\n")}`;
}

function section({ name, summary, details, args, options, examples }: Command): string {
  const words = Object.entries(args).map(([arg, spec]) => usageOf(arg, spec));
  const parts = [
    `## edgeadm ${name}`,
    details === undefined ? summary : `${summary} ${details}`,
    fence([["edgeadm", name, ...words, ...(Object.keys(options).length > 0 ? ["[OPTIONS]"] : [])].join(" ")]),
    argumentTable(args),
    optionTable(options),
    fence(examples.flatMap(([line, does]) => [`# ${does}`, line])),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function argumentTable(args: Command["args"]): string {
  const rows = Object.entries(args).map(
    ([name, spec]) => `| \`${usageOf(name, spec)}\` | ${spec.help}${oneOf(spec.choices)} |`,
  );
  return rows.length === 0 ? "" : ["| Argument | Meaning |", "| --- | --- |", ...rows].join("\n");
}

function optionTable(options: Command["options"]): string {
  const rows = Object.entries(options).map(([name, spec]) => {
    const { help, choices, default: standard, required, many } = spec;
    const rest = [
      many ? REPEATED : "",
      oneOf(choices),
      required ? " Required." : "",
      standard === undefined ? "" : ` Default \`${standard}\`.`,
    ];
    return `| \`${flags(name, spec)}\` | ${help}${rest.join("")} |`;
  });
  return rows.length === 0 ? "" : ["| Option | Meaning |", "| --- | --- |", ...rows].join("\n");
}

function flags(name: string, spec: OptionSpec): string {
  const { short, value } = spec;
  return `${short === undefined ? "" : `-${short}, `}${flagOf(name, spec)}${value === undefined ? "" : ` ${value}`}`;
}

function oneOf(choices: readonly string[] | undefined): string {
  return choices === undefined ? "" : ` One of ${choices.map((it) => `\`${it}\``).join(", ")}.`;
}

function fence(lines: readonly string[]): string {
  return ["```sh", ...lines, "```"].join("\n");
}
