/** A pattern for paths as a regular expression: `*` is within a part, `**` any number of parts, `?` one letter. */
function globOf(pattern: string): RegExp {
  const source = pattern.replaceAll(/\*\*\/?|[*?]|[\\^$+.()|[\]{}]/g, (piece) => {
    if (piece === "**/") return "(?:.*/)?";
    if (piece === "**") return ".*";
    if (piece === "*") return "[^/]*";
    return piece === "?" ? "[^/]" : `\\${piece}`;
  });
  return new RegExp(`^${source}$`, "u");
}

/** Whether a path fits one of the patterns; without patterns every path does. */
export function selector(patterns: readonly string[]): (path: string) => boolean {
  const all = patterns.map(globOf);
  return (path) => all.length === 0 || all.some((pattern) => pattern.test(path));
}
