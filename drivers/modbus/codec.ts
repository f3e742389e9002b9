/** What RTU and ASCII differ in: the bytes around a PDU on a line. */
export interface Codec {
  readonly name: "RTU" | "ASCII";
  /** Puts a PDU into a frame. */
  encode(unit: number, pdu: Uint8Array): Buffer;
  /** What the bytes so far begin with; `from` says who speaks, because only that tells how long an RTU frame is. */
  take(bytes: Buffer, from: "server" | "client"): Taken;
}

/** The beginning of what came in: a frame of `length` bytes, not enough yet, or nothing that could be a frame. */
export type Taken =
  | { readonly is: "frame"; readonly unit: number; readonly pdu: Buffer; readonly length: number }
  | { readonly is: "part" }
  | { readonly is: "noise"; readonly why: string };

/** Nothing can be said yet. */
export const part: Taken = { is: "part" };
