import type { DeviceReport } from "#devices/status";
import type { DeviceTwin } from "./device-twin.ts";

/** The whole truth about a device, as the cloud gets it. */
export function reportOf(twin: DeviceTwin): DeviceReport {
  const { declared, device, health, lastSeen, link, identity, properties } = twin;
  const { uid, name, namespace, generation, modelGeneration } = declared;
  return {
    uid,
    name,
    namespace,
    generation,
    modelGeneration,
    ...health,
    ...(device ? { protocol: device.protocol } : {}),
    ...(lastSeen === undefined ? {} : { lastSeen }),
    ...(link ? { link } : {}),
    ...(identity ? { identity } : {}),
    properties: [
      ...(device?.properties ?? []).map(({ name }, i) => {
        const { reported, desired, conflict } = properties[i] ?? {};
        const { value, at, quality, reason } = reported ?? {};
        return {
          name,
          ...(value === undefined ? {} : { reported: value }),
          ...(at === undefined ? {} : { at, quality }),
          ...(reason === undefined ? {} : { reason }),
          ...(desired ? { desired: desired.value, by: desired.by, state: desired.state } : {}),
          ...(desired?.by === "site" ? { version: desired.version } : {}),
          ...(desired?.until === undefined ? {} : { until: desired.until }),
          ...(desired?.reason === undefined ? {} : { refusal: desired.reason }),
          ...(conflict ? { conflict } : {}),
        };
      }),
      ...strayWishes(device),
    ],
  };
}

/** Wishes of the cloud for properties that the model does not have: refused, and shown as such. */
function strayWishes(device: DeviceTwin["device"]): DeviceReport["properties"] {
  const known = new Set(device?.properties.map(({ name }) => name));
  return Object.entries(device?.desired ?? {})
    .filter(([name]) => !known.has(name))
    .map(([name, { value }]) => ({
      name,
      desired: value,
      by: "cloud",
      state: "refused",
      refusal: `PROPERTY_UNKNOWN: the model has no property ${name}, but ${[...known].join(", ")}`,
    }));
}
