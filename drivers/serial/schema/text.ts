/** Schemas for the texts in which serial devices are described: bytes, patterns and templates. */
import { z } from "#std/schema";
import { byteProblem, literal } from "../bytes.ts";
import { parseLinear } from "../linear.ts";
import { PatternProblem } from "../pattern.ts";
import { templateProblem } from "../template.ts";

/** `{id}` in a pattern or template stands for the `id` of the station. */
export const ID = /\{id\}/g;

/** Bytes, at least one: Latin-1 text with escapes. Yields them as Latin-1 text. */
export function bytes(most = 16) {
  return z
    .string()
    .min(1)
    .superRefine((text, context) => {
      const message = byteProblem(text) ?? sizeProblem(literal(text), most);
      if (message) context.addIssue({ code: "custom", message });
    })
    .transform(literal);
}

function sizeProblem(text: string, most: number): string | undefined {
  if (/[^\0-\xff]/.test(text)) return "only characters of Latin-1 are single bytes";
  return text.length > most ? `it names ${text.length} bytes, at most ${most} are possible` : undefined;
}

/** A regular expression that is fast on any text. @param group - the named group that it must have. */
export function pattern(group?: string) {
  return z
    .string()
    .min(1)
    .max(500)
    .superRefine((source, context) => {
      try {
        const { groups } = parseLinear(source.replace(ID, "[!-~]"));
        if (group !== undefined && !groups.has(group))
          context.addIssue({ code: "custom", message: `it has no group (?<${group}>...) that says what to take` });
      } catch (error) {
        if (!(error instanceof PatternProblem)) throw error;
        context.addIssue({ code: "custom", message: error.message });
      }
    });
}

/** What is sent: bytes with `{id}`, `{value}` and `{checksum}`. @param value - whether it takes a value. */
export function template(value: boolean) {
  return z
    .string()
    .min(1)
    .max(500)
    .superRefine((text, context) => {
      const message = byteProblem(text) ?? templateProblem(literal(text), value);
      if (message) context.addIssue({ code: "custom", message });
    })
    .transform(literal);
}
