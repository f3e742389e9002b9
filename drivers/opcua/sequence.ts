/** Finds out whether a message of a subscription was lost on the way. */

/** The part of a notification message that tells. A keep-alive has no content and the number of the next message. */
export interface Numbered {
  readonly sequenceNumber: number;
  readonly isKeepAlive: boolean;
}

const FIRST = 1;
const LAST = 0xffffffff;

/**
 * What number comes next, and whether numbers are missing before this message. A message that is older than expected
 * was repeated by the server and changes nothing.
 *
 * **Source:** OPC 10000-4 v1.05, §5.14.1.1 (sequence numbers start at 1 and skip 0 when they wrap).
 */
export function follow(
  expected: number | undefined,
  { sequenceNumber, isKeepAlive }: Numbered,
): { readonly next: number; readonly isGap: boolean; readonly isOld: boolean } {
  const after = isKeepAlive ? sequenceNumber : sequenceNumber === LAST ? FIRST : sequenceNumber + 1;
  if (expected === undefined) return { next: after, isGap: false, isOld: false };
  const ahead = (sequenceNumber - expected) >>> 0;
  if (ahead === 0) return { next: after, isGap: false, isOld: false };
  return ahead < 0x80000000
    ? { next: after, isGap: true, isOld: false }
    : { next: expected, isGap: false, isOld: true };
}
