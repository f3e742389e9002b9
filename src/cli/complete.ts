/** Completion scripts for shells, made from the table of commands. */
import { type Command, flagOf } from "./command.ts";

/** A command as completion needs it. */
interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly {
    readonly flag: string;
    readonly short: string | undefined;
    readonly help: string;
    readonly takes: boolean;
    readonly choices: readonly string[];
  }[];
  /** Words that may stand where the first argument does. */
  readonly words: readonly string[];
}

function entries(commands: readonly Command[]): readonly Entry[] {
  return commands.map(({ name, summary, options, args }) => ({
    name,
    summary,
    options: Object.entries(options).map(([option, spec]) => ({
      flag: flagOf(option, spec),
      short: spec.short,
      help: spec.help,
      takes: spec.value !== undefined,
      choices: spec.choices ?? [],
    })),
    words: Object.values(args)[0]?.choices ?? [],
  }));
}

/** The words that may follow these: first words of commands, or second ones. */
function wordsAfter(commands: readonly Command[], first: string | undefined): readonly string[] {
  const words = commands.flatMap(({ name }) => {
    const [one = "", two] = name.split(" ");
    if (first === undefined) return [one];
    return one === first && two !== undefined ? [two] : [];
  });
  return [...new Set(words)];
}

/** For bash: `source <(edgeadm completion bash)`. */
export function bash(commands: readonly Command[]): string {
  const groups = wordsAfter(commands, undefined).filter((word) => wordsAfter(commands, word).length > 0);
  const cases = [
    ...groups.map((word) => `    "${word}") words="${wordsAfter(commands, word).join(" ")}" ;;`),
    ...entries(commands).map(({ name, options, words }) => {
      const flags = options.flatMap(({ flag, short }) => (short === undefined ? [flag] : [flag, `-${short}`]));
      return `    "${name}") words="${[...words, ...flags, "--help"].join(" ")}" ;;`;
    }),
  ];
  const choices = entries(commands).flatMap(({ name, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .map(({ flag, short, choices }) => {
        const written = short === undefined ? [flag] : [flag, `-${short}`];
        return `    ${written.map((it) => `"${name} ${it}"`).join("|")}) words="${choices.join(" ")}" ;;`;
      }),
  );
  return `# Completion of edgeadm for bash: source <(edgeadm completion bash)
_edgeadm() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words="" command="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == -* ]] && break
    ((i > 2)) && break
    command="\${command:+$command }\${COMP_WORDS[i]}"
  done
  case "$command" in
    "") words="${wordsAfter(commands, undefined).join(" ")} --help" ;;
${cases.join("\n")}
    *) case "\${command%% *}" in
${entries(commands)
  .filter(({ name }) => !name.includes(" "))
  .map(({ name, options }) => `      ${name}) words="${options.map(({ flag }) => flag).join(" ")}" ;;`)
  .join("\n")}
    esac ;;
  esac
  case "$command $previous" in
${choices.join("\n")}
    *" --kubeconfig"|*" --config"|*" --data-dir") COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _edgeadm edgeadm
`;
}

/** For zsh, by way of its bash emulation: one table, one logic. */
export function zsh(commands: readonly Command[]): string {
  return `#compdef edgeadm
# Completion of edgeadm for zsh: source <(edgeadm completion zsh)
autoload -U +X bashcompinit && bashcompinit
${bash(commands)}`;
}

/** For fish: `edgeadm completion fish | source`. */
export function fish(commands: readonly Command[]): string {
  const firsts = wordsAfter(commands, undefined);
  const quote = (text: string) => `'${text.replaceAll("'", "\\'")}'`;
  const seen = (name: string) =>
    quote(
      name
        .split(" ")
        .map((word) => `__fish_seen_subcommand_from ${word}`)
        .join("; and "),
    );
  const lines = [
    "# Completion of edgeadm for fish: edgeadm completion fish | source",
    "complete -c edgeadm -f",
    ...firsts.map((word) => `complete -c edgeadm -n __fish_use_subcommand -a ${word}`),
  ];
  for (const { name, summary, options, words } of entries(commands)) {
    const [first = "", second] = name.split(" ");
    if (second !== undefined) lines.push(`complete -c edgeadm -n ${seen(first)} -a ${second} -d ${quote(summary)}`);
    if (words.length > 0) lines.push(`complete -c edgeadm -n ${seen(name)} -a ${quote(words.join(" "))}`);
    for (const { flag, short, help, takes, choices } of options) {
      const letters = short === undefined ? "" : ` -s ${short}`;
      const values = choices.length > 0 ? ` -x -a ${quote(choices.join(" "))}` : takes ? " -r" : "";
      lines.push(`complete -c edgeadm -n ${seen(name)} -l ${flag.slice(2)}${letters}${values} -d ${quote(help)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
