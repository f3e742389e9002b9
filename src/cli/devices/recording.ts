import { parse, z } from "#std/schema";

const exchange = z.object({
  at: z.number(),
  ms: z.number(),
  request: z.string(),
  answer: z.string().optional(),
  error: z.string().optional(),
});
const line = z.union([z.object({ missed: z.literal(true) }), exchange]);

/** A line of the node's answer as a line of a recording; undefined when it says that some are missing. */
export function recordingLine(answer: unknown): string | undefined {
  const found = parse(line, answer, "the node's answer", "MESSAGE_INVALID");
  return "missed" in found ? undefined : JSON.stringify(found);
}
