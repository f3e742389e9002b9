import { LineCounter, parseAllDocuments, stringify } from "yaml";
import { Fault } from "./fault.ts";

/** Aliases a text may expand to: few for people, and too few to blow up the memory. */
const MOST_ALIASES = 100;

/**
 * Reads a YAML 1.2 text of one document; an empty one is `undefined`.
 * @param what - names the text in messages, such as `cloud.yaml`.
 * @throws {Fault} `CONFIG_INVALID` with line and column of every mistake.
 */
export function parseYaml(text: string, what: string): unknown {
  const documents = parseAllYaml(text, what);
  if (documents.length > 1)
    throw new Fault("CONFIG_INVALID", `${what}: has ${documents.length} documents, one is expected`);
  return documents[0];
}

/** Reads every document of a YAML 1.2 text; empty documents are left out. @throws {Fault} `CONFIG_INVALID`. */
export function parseAllYaml(text: string, what: string): readonly unknown[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (!Array.isArray(documents)) return [];
  const found = documents
    .flatMap(({ errors }) => errors)
    .map(({ pos, message }) => {
      const { line, col } = lines.linePos(pos[0]);
      return { path: `${line}:${col}`, message: lower(message) };
    });
  if (found.length > 0) {
    const text = found.map(({ path, message }) => `${what}:${path}: ${message}`).join("; ");
    throw new Fault("CONFIG_INVALID", text, { problems: found });
  }
  try {
    return documents
      .map((document) => document.toJS({ maxAliasCount: MOST_ALIASES }))
      .filter((value) => value !== null);
  } catch (cause) {
    throw new Fault("CONFIG_INVALID", `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** A value as YAML text, long lines unbroken, without anchors. */
export function printYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
