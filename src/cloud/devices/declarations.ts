import type { Schemas } from "#devices/expand";
import type { ApiObject } from "../kube/objects.ts";
import type { Presence } from "./presence.ts";
import type { Register } from "./register.ts";
import { judge, type Verdict } from "./verdict.ts";

/** The parts of the drivers that say what may be declared, by protocol. */
export type SchemaTable = Readonly<Record<string, () => Promise<Schemas>>>;

export interface DeclarationPorts {
  readonly register: Register;
  readonly presence: Presence;
  /** The DeviceModels of the cluster by key. */
  readonly models: ReadonlyMap<string, ApiObject>;
  readonly schemas: SchemaTable;
  /** The right of a node to speak of a device. */
  readonly grant: (node: string, named: { readonly namespace: string; readonly device: string }) => string;
}

/** What every device is judged to be, and what its node was told of it. */
export class Declarations {
  readonly #ports: DeclarationPorts;
  readonly #verdicts = new Map<string, Verdict>();
  /** What the present connection of a node was told of a device. */
  readonly #told = new Map<string, { readonly node: string; readonly uid: string; readonly text: string }>();
  /** Schemas that were loaded, by protocol. */
  readonly #loaded = new Map<string, Schemas>();

  constructor(ports: DeclarationPorts) {
    this.#ports = ports;
  }

  /** The last verdict on a device. */
  verdict(key: string): Verdict | undefined {
    return this.#verdicts.get(key);
  }

  /** Loads the schemas that a model needs; until then its links and addresses are not checked. */
  async load(model: string | undefined): Promise<Schemas | undefined> {
    const protocol = this.#protocolOf(model);
    const { schemas } = this.#ports;
    const load = Object.hasOwn(schemas, protocol) ? schemas[protocol] : undefined;
    if (load && !this.#loaded.has(protocol)) this.#loaded.set(protocol, await load());
    return this.#loaded.get(protocol);
  }

  /** Judges a device and tells its node, all in one go, so that nothing older can overtake what is told. */
  tell(key: string): void {
    const { register, presence } = this.#ports;
    const device = register.get(key);
    const verdict = this.#judge(key);
    const told = this.#told.get(key);
    const leaves = told && (told.node !== device?.node || told.uid !== device.uid || !runs(verdict));
    if (leaves) {
      presence.speaker(told.node)?.send({ kind: "gone", uid: told.uid });
      this.#told.delete(key);
    }
    if (!device || !verdict?.ok) return;
    const { node, uid, namespace, name } = device;
    const text = JSON.stringify(verdict.declaration);
    if (!leaves && told?.text === text) return;
    const grant = this.#ports.grant(node, { namespace, device: name });
    if (presence.speaker(node)?.send({ kind: "device", device: verdict.declaration, grant }))
      this.#told.set(key, { node, uid, text });
  }

  /** Forgets what a node was told: it has a new connection. */
  forget(node: string): void {
    for (const { key } of this.#ports.register.ofNode(node)) this.#told.delete(key);
  }

  /** Uids of all devices that a node may run. */
  roster(node: string): string[] {
    const devices = this.#ports.register.ofNode(node);
    return devices.filter(({ key }) => runs(this.#judge(key))).map(({ uid }) => uid);
  }

  #judge(key: string): Verdict | undefined {
    const { register, models } = this.#ports;
    const device = register.get(key);
    if (!device) {
      this.#verdicts.delete(key);
      return undefined;
    }
    const schemas = this.#loaded.get(this.#protocolOf(device.model));
    const verdict = judge(device, models.get(device.model), register.rivals(device), schemas);
    this.#verdicts.set(key, verdict);
    return verdict;
  }

  #protocolOf(model: string | undefined): string {
    const { spec } = (model !== undefined && this.#ports.models.get(model)) || {};
    const { protocol } = (spec ?? {}) as { protocol?: unknown };
    return typeof protocol === "string" ? protocol : "";
  }
}

/**
 * Whether a node may run the device, in its present or its last valid form. A typing mistake in a spec must not stop
 * what runs; only another device that has the name does.
 */
export function runs(verdict: Verdict | undefined): boolean {
  return verdict !== undefined && (verdict.ok || verdict.reason !== "NameTaken");
}
