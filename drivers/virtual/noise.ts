/**
 * Smooth noise between -1 and 1 that depends on the seed and `x` alone, so that two runs say the same. Whole numbers
 * get a hash each; between them it eases from one to the next.
 *
 * **Source:** value noise; the hash is the finaliser of MurmurHash3 (32 bit, `fmix32`).
 */
export function noise(seed: number, x: number): number {
  const whole = Math.floor(x);
  const part = x - whole;
  const ease = part * part * (3 - 2 * part);
  const left = hash(seed, whole);
  return left + (hash(seed, whole + 1) - left) * ease;
}

/** -1 to 1. */
function hash(seed: number, whole: number): number {
  let h = Math.imul(seed | 0, 0x9e3779b1) ^ (whole | 0);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 0x7fffffff - 1;
}
