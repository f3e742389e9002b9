/** Finds keys that a JSON text says twice; the parser silently takes the last. */
import { below } from "./schema.ts";

/** Paths of repeated keys. The text must be valid JSON already. */
export function duplicateKeys(json: string): readonly string[] {
  const found: string[] = [];
  let at = 0;

  function blank(): void {
    while (at < json.length && json.charCodeAt(at) <= 32) at++;
  }

  function string(): string {
    const start = at++;
    while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
    at++;
    return JSON.parse(json.slice(start, at)) as string;
  }

  function object(path: string): void {
    const keys = new Set<string>();
    at++;
    for (blank(); json[at] !== "}"; blank()) {
      if (json[at] === ",") {
        at++;
        continue;
      }
      const key = string();
      if (keys.has(key)) found.push(below(path, key));
      keys.add(key);
      blank();
      at++; // the colon
      value(below(path, key));
    }
    at++;
  }

  function array(path: string): void {
    at++;
    let index = 0;
    for (blank(); json[at] !== "]"; blank()) {
      if (json[at] === ",") at++;
      else value(below(path, index++));
    }
    at++;
  }

  function value(path: string): void {
    blank();
    if (json[at] === "{") object(path);
    else if (json[at] === "[") array(path);
    else if (json[at] === '"') string();
    else while (at < json.length && !/[\s,\]}]/.test(json[at] ?? "")) at++;
  }

  value("");
  return found;
}
