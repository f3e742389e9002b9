import { isUtf8 } from "node:buffer";

/** One control packet: where it lies in its bytes. */
export interface Packet {
  readonly bytes: Buffer;
  /** First byte: type in the upper four bits, flags in the lower. */
  readonly first: number;
  /** Where the variable header begins, and where the packet ends. */
  readonly from: number;
  readonly to: number;
}

/** A cursor over the fields of a packet; `at` is -1 after a field that does not fit. */
export class Fields {
  at: number;
  readonly #bytes: Buffer;
  readonly #to: number;

  constructor({ bytes, from, to }: Packet) {
    this.#bytes = bytes;
    this.at = from;
    this.#to = to;
  }

  get isAtEnd(): boolean {
    return this.at === this.#to;
  }

  byte(): number {
    if (this.at < 0 || this.at + 1 > this.#to) return this.#fail();
    return this.#bytes[this.at++] ?? -1;
  }

  number(): number {
    if (this.at < 0 || this.at + 2 > this.#to) return this.#fail();
    this.at += 2;
    return this.#bytes.readUInt16BE(this.at - 2);
  }

  bytes(): Buffer | undefined {
    const length = this.number();
    if (length < 0 || this.at + length > this.#to) {
      this.#fail();
      return undefined;
    }
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** UTF-8 without surrogates and U+0000 [MQTT-1.5.3-1], [MQTT-1.5.3-2]. */
  text(): string | undefined {
    const bytes = this.bytes();
    if (!bytes || bytes.includes(0) || !isUtf8(bytes)) return undefined;
    return bytes.toString();
  }

  #fail(): number {
    this.at = -1;
    return -1;
  }
}
