/** Patterns of schemas. Upstream uses RE2; what JavaScript would understand otherwise is refused. */

const compiled = new Map<string, RegExp | undefined>();
const MOST_COMPILED = 2000;

/** The expression of a pattern; undefined when it is none or would mean something else than in RE2. */
export function compile(pattern: string): RegExp | undefined {
  if (compiled.has(pattern)) return compiled.get(pattern);
  if (compiled.size >= MOST_COMPILED) compiled.clear();
  const expression = build(pattern);
  compiled.set(pattern, expression);
  return expression;
}

function build(pattern: string): RegExp | undefined {
  // Look-around and back references: RE2 has neither, and here they could take exponential time.
  if (/\(\?(?:[=!]|<[=!])/.test(pattern) || /\\[1-9]|\\k</.test(pattern)) return undefined;
  const translated = pattern
    .replaceAll("(?P<", "(?<")
    .replaceAll(/\\A/g, "^")
    .replaceAll(/\\z/g, "$")
    .replaceAll("[[:alnum:]]", "[0-9A-Za-z]")
    .replaceAll("[[:alpha:]]", "[A-Za-z]")
    .replaceAll("[[:digit:]]", "[0-9]");
  for (const flags of ["u", ""]) {
    try {
      return new RegExp(translated, flags);
    } catch {
      // The strict form refuses needless escapes such as `\-`, which RE2 accepts: the lenient one decides.
    }
  }
  return undefined;
}
