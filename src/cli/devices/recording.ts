import { recorded } from "#devices/recording";
import { parse, z } from "#std/schema";

const line = z.union([z.object({ missed: z.literal(true) }), recorded]);

/** A line of the node's answer as a line of a recording; undefined when it says that some are missing. */
export function recordingLine(answer: unknown): string | undefined {
  const found = parse(line, answer, "the node's answer", "MESSAGE_INVALID");
  return "missed" in found ? undefined : JSON.stringify(found);
}
