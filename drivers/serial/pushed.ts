import type { SerialAddress } from "./schema/address.ts";
import type { SerialStation } from "./schema/station.ts";

/** Whether the frames with this point come by themselves. */
export function isPushed({ unsolicited, request }: SerialStation, address: SerialAddress): boolean {
  return unsolicited && request === undefined && address.request === undefined;
}
