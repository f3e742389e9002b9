import type { Declaration } from "#devices/model";

/** A boiler of the virtual driver: 21 degrees, a setpoint, and something that refuses to be written. */
export function virtualBoiler(name: string, spec: object = {}): Declaration {
  const every = "20ms";
  const setpoint = { type: "number", access: "readwrite", minimum: 20, maximum: 90, every };
  return {
    namespace: "default",
    name,
    uid: `uid-${name}`,
    generation: 1,
    modelGeneration: 1,
    spec: { model: "boiler", node: "site-a", ...spec },
    model: {
      protocol: "virtual",
      properties: [
        { name: "temperature", type: "number", unit: "Cel", address: { formula: "21" }, every },
        { name: "setpoint", address: { memory: 50 }, ...setpoint },
        { name: "fixed", type: "number", access: "readwrite", address: { formula: "7" }, every },
      ],
    },
  };
}
