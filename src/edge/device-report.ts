import type { DeviceReport } from "#devices/status";
import type { DeviceTwin } from "./device-twin.ts";

/** The whole truth about a device, as the cloud gets it. */
export function reportOf({ declared, device, health, lastSeen, properties }: DeviceTwin): DeviceReport {
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
    properties: (device?.properties ?? []).map(({ name }, i) => {
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
  };
}
