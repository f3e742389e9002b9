/** Devices for the simulator: those of `examples/serial-*`. What they say is set from outside; they have no clock. */
import { checksums } from "./checksum.ts";
import type { SerialDevice } from "./simulator.ts";

/** Where a GPS receiver is. */
export interface Position {
  /** Degrees, north and east positive. */
  readonly latitude: number;
  readonly longitude: number;
  readonly metres: number;
  readonly knots: number;
  readonly satellites: number;
}

/**
 * The sentences of one second of a GPS receiver, as they come by themselves; without a position it has no fix.
 * **Source:** NMEA 0183: checksum field, sentences GGA and RMC.
 */
export function sentences(position: Position | undefined): string {
  if (!position)
    return sentence("GPGGA,120000.00,,,,,0,00,99.99,,,,,,") + sentence("GPRMC,120000.00,V,,,,,,,211126,,,N");
  const { latitude, longitude, metres, knots, satellites } = position;
  const place = `${minutes(latitude, 2, "NS")},${minutes(longitude, 3, "EW")}`;
  const seen = String(satellites).padStart(2, "0");
  return (
    sentence(`GPGGA,120000.00,${place},1,${seen},0.9,${metres.toFixed(1)},M,46.9,M,,`) +
    sentence(`GPRMC,120000.00,A,${place},${knots.toFixed(2)},84.4,211126,,,A`)
  );
}

/** One sentence with its checksum. */
export function sentence(content: string): string {
  const bytes = Buffer.from(content, "latin1");
  const sum = checksums.xor.of(bytes, 0, bytes.length).toString(16).toUpperCase().padStart(2, "0");
  return `$${content}*${sum}\r\n`;
}

function minutes(degrees: number, digits: number, hemispheres: string): string {
  const tenThousandths = Math.round(Math.abs(degrees) * 60 * 10_000);
  const whole = String(Math.floor(tenThousandths / 600_000)).padStart(digits, "0");
  const rest = ((tenThousandths % 600_000) / 10_000).toFixed(4).padStart(7, "0");
  return `${whole}${rest},${hemispheres[degrees < 0 ? 1 : 0]}`;
}

/** What lies on a scale. */
export interface Pan {
  grams: number;
  isStable: boolean;
  /** Shown instead of a weight, such as `High` or `Low`. */
  special?: string | undefined;
}

/** A Sartorius scale that speaks SBI: `ESC P` prints, `ESC T` tares. */
export function scale(pan: Pan): SerialDevice {
  return {
    answer(request) {
      if (request === "\x1bP") return print(pan);
      if (request === "\x1bT") pan.grams = 0;
      return undefined;
    },
  };
}

/**
 * One print of a scale: 16 characters, the unit missing as long as the weight moves.
 * **Source:** Sartorius, Data Output Format with 16 Characters (operating instructions, interface SBI).
 */
export function print({ grams, isStable, special }: Pan): string {
  if (special !== undefined) return `${special.padStart(10).padEnd(14)}\r\n`;
  const sign = grams < 0 ? "-" : "+";
  return `${sign} ${Math.abs(grams).toFixed(2).padStart(8)} ${isStable ? "g  " : "   "}\r\n`;
}

/**
 * A meter that sends all its registers when it is asked: by OBIS code, what stands between the parentheses.
 * **Source:** IEC 62056-21:2002, clause 6: data readout in protocol mode A, data block, block check character.
 */
export function meter(registers: ReadonlyMap<string, string>, identification = "ISK0MT174-0001"): SerialDevice {
  return {
    answer(request) {
      if (request !== "/?!") return undefined;
      const lines = [...registers].map(([code, value]) => `${code}(${value})\r\n`);
      const block = Buffer.from(`\x02${lines.join("")}!\r\n\x03`, "latin1");
      const check = String.fromCharCode(checksums.xor.of(block, 1, block.length));
      return `/${identification}\r\n${block.toString("latin1")}${check}`;
    },
  };
}
