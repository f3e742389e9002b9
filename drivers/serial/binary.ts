/** Numbers in the bytes of a frame. */
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import type { Body } from "./body.ts";
import { show } from "./bytes.ts";
import type { BinaryType } from "./schema/address.ts";

interface Format {
  readonly size: number;
  read(view: DataView, at: number, isLittle: boolean): Raw;
}

const formats: Readonly<Record<Exclude<BinaryType, "bit">, Format>> = {
  int8: { size: 1, read: (view, at) => view.getInt8(at) },
  uint8: { size: 1, read: (view, at) => view.getUint8(at) },
  int16: { size: 2, read: (view, at, isLittle) => view.getInt16(at, isLittle) },
  uint16: { size: 2, read: (view, at, isLittle) => view.getUint16(at, isLittle) },
  int32: { size: 4, read: (view, at, isLittle) => view.getInt32(at, isLittle) },
  uint32: { size: 4, read: (view, at, isLittle) => view.getUint32(at, isLittle) },
  int64: { size: 8, read: (view, at, isLittle) => view.getBigInt64(at, isLittle) },
  uint64: { size: 8, read: (view, at, isLittle) => view.getBigUint64(at, isLittle) },
  float32: { size: 4, read: (view, at, isLittle) => view.getFloat32(at, isLittle) },
  float64: { size: 8, read: (view, at, isLittle) => view.getFloat64(at, isLittle) },
};

/** Readies the reading of one number, or of one bit of a byte. */
export function binaryReader(type: BinaryType, offset: number, order: "big" | "little", bit: number) {
  const { size, read } = formats[type === "bit" ? "uint8" : type];
  return ({ bytes }: Body): Raw | Fault => {
    if (bytes.length < offset + size) {
      const what = `has ${bytes.length} bytes, ${type} at ${offset} needs ${offset + size}`;
      return new Fault("ANSWER_INVALID", `the frame ${show(bytes.toString("latin1"))} ${what}`);
    }
    const raw = read(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset, order === "little");
    return type === "bit" ? ((Number(raw) >> bit) & 1) === 1 : raw;
  };
}
