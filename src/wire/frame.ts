import { Encoder } from "cbor-x";
import { Fault } from "#std/fault";
import { parse, type Schema } from "#std/schema";

/** Largest frame either side sends or takes, in bytes. A batch of rows is cut to fit. */
export const FRAME_LIMIT_BYTES = 4 * 1024 * 1024;

const cbor = new Encoder({ useRecords: false, mapsAsObjects: true, variableMapSize: true });

/** A message as the bytes of one frame: CBOR (RFC 8949), about half of JSON. */
export function encodeFrame(message: object): Uint8Array {
  return cbor.encode(message);
}

/** @throws {Fault} `FRAME_INVALID` when the bytes are too many, no CBOR, or no message of this kind. */
export function decodeFrame<T>(schema: Schema<T>, bytes: Uint8Array): T {
  if (bytes.length > FRAME_LIMIT_BYTES)
    throw new Fault("FRAME_INVALID", `a frame of ${bytes.length} bytes is over the limit of ${FRAME_LIMIT_BYTES}`);
  let message: unknown;
  try {
    message = cbor.decode(bytes);
  } catch (cause) {
    throw new Fault("FRAME_INVALID", `${bytes.length} bytes are not CBOR`, { cause });
  }
  return parse(schema, message, "a frame", "FRAME_INVALID");
}
