/** Rules of names. */
import { randomInt } from "node:crypto";
import type { Resource } from "./resource.ts";

const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
const QUALIFIED = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** What is wrong with a name; undefined when nothing is. **Source:** Kubernetes, "Object Names and IDs"; RFC 1123. */
export function nameProblem(name: string, rule: Resource["nameRule"]): string | undefined {
  if (rule === "path")
    return name === "." || name === ".." || /[/%]/.test(name)
      ? "may not be '.' or '..' nor contain '/' or '%'"
      : undefined;
  const most = rule === "label" ? 63 : 253;
  if (name.length > most) return `must be no more than ${most} characters`;
  if (rule === "label")
    return LABEL.test(name)
      ? undefined
      : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  return SUBDOMAIN.test(name)
    ? undefined
    : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

/** True for the key of a label or annotation, or the name of a finalizer: `name` or `prefix.dns/name`. */
export function isQualifiedName(key: string): boolean {
  const [first = "", second, ...rest] = key.split("/");
  if (rest.length > 0) return false;
  const name = second ?? first;
  if (second !== undefined && (first.length > 253 || !SUBDOMAIN.test(first))) return false;
  return name.length <= 63 && QUALIFIED.test(name);
}

/** True for the value of a label. */
export function isLabelValue(value: string): boolean {
  return value.length <= 63 && LABEL_VALUE.test(value);
}

/** Letters that can not make words by accident. **Source:** Kubernetes, apimachinery util/rand. */
const LETTERS = "bcdfghjklmnpqrstvwxz2456789";
const LONGEST_PREFIX = 58;

/** A name from `generateName`: the prefix and five random letters. */
export function generatedName(prefix: string): string {
  const suffix = Array.from({ length: 5 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  return prefix.slice(0, LONGEST_PREFIX) + suffix;
}
