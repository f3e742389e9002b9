import { type Value, value } from "#devices/value";

/** An argument of a command as it is typed: JSON, and what is none is text. */
export function parseArgument(text: string): Value {
  try {
    return value.parse(JSON.parse(text));
  } catch {
    return text;
  }
}
