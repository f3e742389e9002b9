/** Wishes of cloud and site that did not know of each other. Pure. */
import type { Value } from "#devices/value";
import { age, table } from "../table.ts";
import { showValue } from "./lines.ts";
import type { DeviceView, PropertyView } from "./view.ts";

/** One conflict, and where it is. */
export interface ConflictView extends NonNullable<PropertyView["conflict"]> {
  readonly namespace?: string | undefined;
  readonly device: string;
  readonly node?: string | undefined;
  readonly property: string;
  /** The commands of which one ends it: the first keeps what stands. Empty when the rule has decided. */
  readonly settle: readonly string[];
}

/** The conflicts of devices, the latest first. */
export function conflictsOf(devices: readonly DeviceView[], where: Where): readonly ConflictView[] {
  const found = devices.flatMap(({ namespace, name, node, properties }) =>
    properties.flatMap(({ name: property, conflict }): readonly ConflictView[] => {
      if (!conflict) return [];
      const { rule, kept, lost } = conflict;
      const set = ({ value }: typeof kept) => setCommand({ ...where, name, namespace }, property, value);
      const settle = rule === "manual" ? [set(kept), set(lost)] : [];
      return [{ namespace, device: name, node, property, ...conflict, settle }];
    }),
  );
  return found.sort((a, b) => b.at - a.at);
}

/** A line for each, and how those that wait for a person are settled. */
export function conflictLines(conflicts: readonly ConflictView[], nowMs: number): readonly string[] {
  if (conflicts.length === 0) return ["no conflicts"];
  const isSpread = new Set(conflicts.map(({ namespace }) => namespace)).size > 1;
  const side = ({ by, value }: ConflictView["kept"]) => `${by}: ${showValue(value)}`;
  const rows = conflicts.map(({ namespace = "", device, property, rule, at, kept, lost }) => [
    ...(isSpread ? [namespace] : []),
    device,
    property,
    rule,
    `${age(nowMs - at)} ago`,
    side(kept),
    side(lost),
  ]);
  const head = [...(isSpread ? ["NAMESPACE"] : []), "DEVICE", "PROPERTY", "RULE", "WHEN", "KEPT", "LOST"];
  const open = conflicts.filter(({ settle }) => settle.length > 0);
  return [
    ...table(head, rows),
    ...open.flatMap(({ device, property, kept, lost, settle: [keep = "", take = ""] }) => [
      "",
      `${property} of ${device} is for you to decide:`,
      `  ${keep}   # keep the ${kept.by}'s`,
      `  ${take}   # take the ${lost.by}'s`,
    ]),
  ];
}

/** Where the devices were found: the options that lead there again. */
interface Where {
  readonly site: string | undefined;
  readonly kubeconfig: string | undefined;
}

interface Target extends Where {
  readonly name: string;
  readonly namespace: string | undefined;
}

function setCommand({ name, namespace, site, kubeconfig }: Target, property: string, value: Value): string {
  const where = [
    ...(namespace === undefined || namespace === "default" ? [] : ["-n", namespace]),
    ...(site === undefined ? [] : ["--site", site]),
    ...(kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig]),
  ];
  const wish = `${property}=${typeof value === "string" ? value : JSON.stringify(value)}`;
  return ["edgeadm", "device", "set", name, wish, ...where].map(quoted).join(" ");
}

/** A word for a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
