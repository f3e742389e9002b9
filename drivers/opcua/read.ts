import type { Reading } from "#devices/driver";
import { Fault } from "#std/fault";
import { type Line, VALUE } from "./line.ts";
import type { Item } from "./plan.ts";
import type { NodeId, ReadValueIdOptions } from "./stack.ts";
import { readingOf } from "./status.ts";

/** What a server says when one request or its answer is too large; the next one is half as large. */
const tooLarge = new Set(["BadTooManyOperations", "BadResponseTooLarge", "BadEncodingLimitsExceeded"]);

/** Reads every item once, in as few requests as the server takes; learns when it takes less than it says. */
export async function readItems(
  line: Line,
  items: readonly Item[],
  now: () => number,
  signal: AbortSignal,
): Promise<readonly Reading[]> {
  const readings = new Array<Reading>(items.length);
  const asked: { readonly index: number; readonly node: NodeId; readonly item: Item }[] = [];
  for (const [index, item] of items.entries()) {
    if (item.node instanceof Fault) readings[index] = { ok: false, fault: item.node, at: now() };
    else asked.push({ index, node: item.node, item });
  }
  for (let from = 0; from < asked.length; ) {
    const batch = asked.slice(from, from + line.limits.perRead);
    const nodes = batch.map(({ node, item }) => partOf(node, item));
    try {
      const answers = await line.ask(() => line.session.read(nodes, 0), signal);
      if (answers.length !== batch.length)
        throw line.lose(`answered ${answers.length} values, asked were ${batch.length}`);
      const at = now();
      for (const [i, { index, item }] of batch.entries()) {
        const answer = answers[i];
        if (answer) readings[index] = readingOf(answer, item.point.address, at);
      }
      from += batch.length;
    } catch (error) {
      if (!Fault.is(error) || !tooLarge.has(String(error.detail.status)) || batch.length === 1) throw error;
      line.limits.perRead = Math.ceil(batch.length / 2);
    }
  }
  return readings;
}

/** The value of a node, or the part of it that the address names. */
export function partOf(nodeId: NodeId, { point }: Item): ReadValueIdOptions & { nodeId: NodeId } {
  const { index } = point.address;
  return { nodeId, attributeId: VALUE, ...(index === undefined ? {} : { indexRange: index as never }) };
}
