/** Bytes as people write and read them: Latin-1 text in which `\r`, `\x02` and their like stand for what can not be seen. */

const names: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", e: "\x1b", 0: "\0", "\\": "\\" };
const shown: Readonly<Record<string, string>> = { "\r": "\\r", "\n": "\\n", "\t": "\\t", "\x1b": "\\e", "\0": "\\0" };

/** Characters of a frame that a message shows. */
const MOST_SHOWN = 60;

/** Why a text does not name bytes; undefined when it does. */
export function byteProblem(text: string): string | undefined {
  const wrong = /\\(?![rnte0\\]|x[\da-fA-F]{2})./.exec(text);
  if (wrong) return `${wrong[0]} is not known: write \\r \\n \\t \\e \\0 \\xHH, or \\\\ for a backslash`;
  if (/\\$/.test(text.replace(/\\\\/g, ""))) return "it ends in a lone backslash: write \\\\";
  return undefined;
}

/** Puts the bytes that escapes name in their place. */
export function literal(text: string): string {
  return text.replace(/\\(?:x([\da-fA-F]{2})|(.))/g, (_, hex: string | undefined, name: string) =>
    hex === undefined ? (names[name] ?? name) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** A frame for a message: what can not be seen is escaped, what is long is cut. */
export function show(text: string): string {
  const cut = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
  const visible = cut.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to be shown.
    /[\x00-\x1f\x7f-\x9f]/g,
    (character) => shown[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${visible}"`;
}
