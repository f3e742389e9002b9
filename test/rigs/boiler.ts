import type { Driver } from "#devices/driver";
import type { Declaration } from "#devices/model";
import { z } from "#std/schema";

const anything = z.record(z.string(), z.unknown());

/** Schemas of a driver that takes everything but a negative register. */
export const schemas: Pick<Driver, "protocol" | "link" | "station" | "address"> = {
  protocol: "scripted",
  link: anything,
  station: z.looseObject({ unit: z.int().default(1) }),
  address: z.looseObject({ register: z.int().nonnegative().optional() }),
};

export const temperature = { name: "temperature", type: "number", address: { register: 0 }, every: "10ms" } as const;
export const setpoint = {
  name: "setpoint",
  type: "number",
  access: "readwrite",
  minimum: 20,
  maximum: 90,
  address: { register: 10 },
  every: "10ms",
} as const;

/** A boiler as the cloud declares it; the rest of its spec and its model may differ. */
export function boiler(
  name = "boiler-1",
  spec: object = {},
  { properties = [temperature, setpoint], ...rest }: { properties?: readonly object[] } & Partial<Declaration> = {},
): Declaration {
  return {
    namespace: "default",
    name,
    uid: `uid-${name}`,
    generation: 1,
    modelGeneration: 1,
    spec: { model: "boiler", node: "site-a", ...spec },
    model: { protocol: "scripted", properties },
    ...rest,
  };
}
