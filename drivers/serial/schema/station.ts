/** What one serial device speaks: frames, checksum, characters, and its manners. */
import { duration } from "#std/duration";
import { z } from "#std/schema";
import { checksum, framing } from "./framing.ts";
import { bytes, pattern, template } from "./text.ts";

/** `spec.station` of a serial device. */
export const station = z
  .strictObject({
    id: z
      .string()
      .regex(/^[\x21-\x7e]{1,32}$/, "1 to 32 visible ASCII characters")
      .optional()
      .describe("Its number or name on the line: `{id}` in templates, prefixes and patterns."),
    framing: framing
      .prefault({ by: "delimiter" })
      .describe("How its bytes are cut into frames, see below. Default: lines that end in CR LF."),
    checksum: checksum.optional().describe("What every frame carries to prove that it is whole, see below."),
    encoding: z
      .enum(["latin1", "utf8", "hex"])
      .default("latin1")
      .describe("What text its bytes are. With `hex`, texts and templates are hexadecimal digits."),
    records: bytes()
      .optional()
      .describe("What separates the records of a frame, when each of them is looked at by itself, such as `\\r\\n`."),
    request: template(false)
      .optional()
      .describe("Asks for the properties that have no request of their own. Without any, they are waited for."),
    unsolicited: z
      .boolean()
      .default(false)
      .describe("Whether frames come by themselves, so that properties without a request are pushed."),
    open: template(false)
      .optional()
      .describe("Sent once when the connection is new, to wake the device or start its flow."),
    refused: pattern().optional().describe("A frame that matches says no to what was asked."),
    last: pattern()
      .optional()
      .describe("A frame that matches is the last of an answer; what is missing then does not exist."),
    timeout: duration(1)
      .prefault("300ms")
      .describe("Longest silence before and within an answer. A late answer is awaited as long again, and dropped."),
    retries: z.int().min(0).max(5).default(1).describe("How often a request is repeated in a visit. Writes never are."),
    quiet: duration().prefault("10ms").describe("How long the line must have been silent before a request is sent."),
  })
  .superRefine((station, context) => {
    const { id, framing, checksum, encoding, records, timeout, request, open, refused, last } = station;
    const wrong = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (id === undefined && [request, open, refused, last].some((text) => text?.includes("{id}")))
      wrong("id", "{id} is used, but there is none");
    for (const [path, text] of Object.entries({ request, open }))
      if (encoding === "hex" && text !== undefined && /[^\s\da-fA-F]/.test(text.replace(/\{(?:id|checksum)\}/g, "")))
        wrong(path, "with the encoding hex, it is hexadecimal digits");
    if (checksum?.mark !== undefined && checksum.form !== "hex")
      wrong("checksum", "a mark before the checksum can be found when its form is hex");
    if (encoding === "hex" && records !== undefined) wrong("records", "bytes that are no text have no records");
    if (framing.by === "silence" && framing.silenceMs >= timeout)
      wrong("timeout", `a frame ends after ${framing.silenceMs} ms of silence, so an answer takes longer than that`);
    if (framing.by === "marks" && framing.after > 0 && checksum === undefined)
      wrong("checksum", "without one nobody knows what the bytes after the end are");
  })
  .transform(({ timeout, quiet, ...rest }) => ({ ...rest, timeoutMs: timeout, quietMs: quiet }));

export type SerialStation = z.output<typeof station>;
