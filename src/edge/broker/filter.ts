/**
 * True when the topic matches the filter. **Source:** MQTT 3.1.1, section 4.7.
 * A filter that begins with a wildcard matches no topic that begins with `$` [MQTT-4.7.2-1].
 */
export function matches(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  if (topic.startsWith("$") && !filter.startsWith("$")) return false;
  const wanted = filter.split("/");
  const levels = topic.split("/");
  for (const [i, level] of wanted.entries()) {
    if (level === "#") return true;
    if (i >= levels.length || (level !== "+" && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}

/** True when every topic that `wanted` matches is also matched by `allowed`: what an access rule asks of a filter. */
export function covers(allowed: string, wanted: string): boolean {
  if (wanted.startsWith("$") && !allowed.startsWith("$")) return false;
  const rule = allowed.split("/");
  const levels = wanted.split("/");
  for (const [i, level] of rule.entries()) {
    if (level === "#") return true;
    const asked = levels[i];
    if (asked === undefined || asked === "#" || (level !== "+" && level !== asked)) return false;
  }
  return rule.length === levels.length;
}

/** True when some topic matches both; a filter may stand behind a prefix that is no whole level. */
export function overlaps(one: string, other: string): boolean {
  const [left, right] = [one.split("/"), other.split("/")];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [a = "", b = ""] = [left[i], right[i]];
    const isOver = left[i] === undefined || right[i] === undefined;
    if (isOver) return a === "#" || b === "#";
    const [headA = "", headB = ""] = [a.split(/[+#]/)[0], b.split(/[+#]/)[0]];
    const [isWildA, isWildB] = [headA !== a, headB !== b];
    const fits =
      (isWildA && headB.startsWith(headA)) ||
      (isWildB && headA.startsWith(headB)) ||
      (isWildA && isWildB && headA.startsWith(headB)) ||
      a === b;
    if (!fits) return false;
    if (a.includes("#") || b.includes("#")) return true;
  }
  return true;
}

/** True for a filter whose wildcards stand where they may. **Source:** MQTT 3.1.1, section 4.7.1. */
export function isFilter(text: string): boolean {
  if (text === "" || text.includes("\0")) return false;
  const levels = text.split("/");
  return levels.every((level, i) =>
    level.includes("#") ? level === "#" && i === levels.length - 1 : level === "+" || !level.includes("+"),
  );
}

/** Levels of a topic or filter. */
export function depth(text: string): number {
  let levels = 1;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 47) levels++;
  return levels;
}

/** True for the topics under which only the node speaks; applications say what they wish at `.../set`. */
export function isReserved(topic: string): boolean {
  return OURS.test(topic) && !WISH.test(topic);
}

const OURS = /^(devices|node|\$[^/]*)(\/|$)/;
const WISH = /^devices\/[^/]+\/(desired\/[^/]+\/set|commands\/[^/]+)$/;
