/**
 * What a device says of itself.
 *
 * **Source:** Modbus Application Protocol V1.1b3, §6.21 (function 43 / 14, read device identification).
 */
import { Fault } from "#std/fault";
import { fc } from "./pdu.ts";

/** MODBUS encapsulated interface type of the identification. */
const MEI = 14;

const names = ["vendor", "product", "revision", "vendorUrl", "productName", "modelName", "application"] as const;

/** Objects of a device in one answer, and where to go on. */
interface Page {
  readonly objects: readonly (readonly [id: number, text: string])[];
  /** Undefined when this was the last. */
  readonly next: number | undefined;
}

/** More than seven short texts never take so many answers. */
const MOST_PAGES = 8;

/** Levels of detail: basic has three objects, regular seven. */
const levels = { basic: 1, regular: 2 } as const;

/** Asks until all is told; empty when the device has no identification. @throws {Fault} `ANSWER_INVALID`. */
export async function readIdentity(ask: (pdu: Uint8Array) => Promise<Uint8Array>): Promise<Record<string, string>> {
  for (const level of [levels.regular, levels.basic]) {
    const identity: Record<string, string> = {};
    let from: number | undefined = 0;
    for (let i = 0; i < MOST_PAGES && from !== undefined; i++) {
      const answer = await ask(Uint8Array.of(fc.identify, MEI, level, from));
      if (answer[0] === (fc.identify | 0x80)) break;
      const page = pageOf(answer);
      for (const [id, text] of page.objects) identity[names[id] ?? `object${id}`] = text;
      from = page.next;
    }
    if (Object.keys(identity).length > 0) return identity;
  }
  return {};
}

/** Takes an answer apart. @throws {Fault} `ANSWER_INVALID` when its lengths do not add up. */
function pageOf(answer: Uint8Array): Page {
  const [code, kind, , , more, next = 0, count = 0] = answer;
  const objects: [number, string][] = [];
  let at = 7;
  for (let i = 0; i < count; i++) {
    const [id = 0, length = 0] = answer.subarray(at, at + 2);
    objects.push([
      id,
      Buffer.from(answer.subarray(at + 2, at + 2 + length))
        .toString("latin1")
        .trim(),
    ]);
    at += 2 + length;
  }
  if (code !== fc.identify || kind !== MEI || at !== answer.length) {
    throw new Fault("ANSWER_INVALID", "reading the identity: the answer's lengths do not add up");
  }
  return { objects, next: more === 0xff ? next : undefined };
}
