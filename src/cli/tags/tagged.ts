/** A Device or DeviceModel with what a list, or a cluster, says of it. */
export interface Tagged {
  readonly kind: "Device" | "DeviceModel";
  readonly name: string;
  readonly spec: Spec;
}

export type Spec = Readonly<Record<string, unknown>>;

/** A property or command as it stands in a model. */
export type Part = Spec & { readonly name: string };

/** The properties or commands of a model that nobody has parsed. */
export function partsOf(spec: Spec | undefined, field: "properties" | "commands"): readonly Part[] {
  return (spec?.[field] ?? []) as readonly Part[];
}

/** Finds objects by kind and name. */
export function finderOf(objects: readonly Tagged[]): (kind: Tagged["kind"], name: string) => Tagged | undefined {
  const found = new Map(objects.map((one) => [`${one.kind}/${one.name}`, one]));
  return (kind, name) => found.get(`${kind}/${name}`);
}
