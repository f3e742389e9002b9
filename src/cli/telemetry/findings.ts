import { table } from "../table.ts";

/** What the check of a device's numbers found, as the cloud tells it. */
export interface Findings {
  readonly checked: number;
  readonly doubled: number;
  readonly holes: readonly {
    readonly node: string;
    readonly from: number;
    readonly to: number;
    readonly after: number;
    readonly before: number;
    readonly reason?: string;
  }[];
}

/** What a check found, for people. */
export function findingLines({ checked, doubled, holes }: Findings): readonly string[] {
  const unexplained = holes.filter(({ reason }) => reason === undefined).length;
  const summary = `${checked} messages checked: ${doubled} doubled, ${holes.length} holes, ${unexplained} without a reason`;
  if (holes.length === 0) return [summary];
  const rows = holes.map(({ node, from, to, after, before, reason = "NONE" }) => [
    node,
    from === to ? String(from) : `${from}..${to}`,
    new Date(after).toISOString(),
    new Date(before).toISOString(),
    reason,
  ]);
  return [...table(["NODE", "NUMBERS", "AFTER", "BEFORE", "REASON"], rows), summary];
}
