import { execFileSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import { commands } from "#cli/commands";
import { bash, fish, zsh } from "#cli/complete";

/** What bash offers for a line that ends here. */
function offered(...words: readonly string[]): readonly string[] {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `${bash(commands)}
COMP_WORDS=(edgeadm ${quoted}); COMP_CWORD=${words.length}; _edgeadm; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["--norc", "-c", script], { encoding: "utf8" })
    .split("\n")
    .filter((it) => it !== "");
}

describe("completion in bash", () => {
  test("offers commands, then what follows them", () => {
    expect(offered("")).toEqual(expect.arrayContaining(["run", "device", "token", "join", "version"]));
    expect(offered("de")).toEqual(["device"]);
    expect(offered("device", "")).toEqual(expect.arrayContaining(["list", "get", "set", "watch", "why"]));
    expect(offered("device", "w")).toEqual(["watch", "why"]);
    expect(offered("run", "d")).toEqual(["dev"]);
  });

  test("offers the options of a command and the choices of an option", () => {
    expect(offered("device", "set", "boiler-1", "--d")).toEqual(["--dry-run"]);
    expect(offered("device", "list", "-o", "")).toEqual(["table", "json", "yaml"]);
    expect(offered("completion", "")).toEqual(expect.arrayContaining(["bash", "zsh", "fish"]));
  });
});

test("completion for zsh and fish names every command", () => {
  for (const { name, options } of commands) {
    const [first = "", second = first] = name.split(" ");
    expect(fish(commands)).toMatch(new RegExp(`-a '?[^\n]*${second}`));
    expect(zsh(commands)).toContain(`"${name}") words=`);
    if ("dryRun" in options) expect(fish(commands)).toContain("-l dry-run");
  }
});
