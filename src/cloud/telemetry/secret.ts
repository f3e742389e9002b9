import { readFileSync } from "node:fs";
import { Fault } from "#std/fault";
import { z } from "#std/schema";

/** Where a secret is. It is read when it is needed, so a new one needs no restart, and no file of ours has it. */
export const secretFrom = z
  .union([z.strictObject({ file: z.string().min(1) }), z.strictObject({ environment: z.string().min(1) })])
  .describe("{ file: PATH } or { environment: NAME }.");
export type SecretFrom = z.infer<typeof secretFrom>;

/** The variables of the process, as the command line hands them on. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The secret, without the line's end of its file. @throws {Fault} `CONFIG_INVALID` when it is not there. */
export function readSecret(from: SecretFrom, environment: Environment): string {
  if ("file" in from) return readFile(from.file).trimEnd();
  const found = environment[from.environment];
  if (found === undefined || found === "")
    throw new Fault("CONFIG_INVALID", `telemetry: the variable ${from.environment} is not set`);
  return found;
}

/** Text of a file that the configuration names. @throws {Fault} `CONFIG_INVALID` */
export function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Fault("CONFIG_INVALID", `telemetry: ${path} can not be read`, { cause });
  }
}

/** PEM files: whom to trust in the place of the system's authorities, and who we are. */
export const tlsFiles = z.strictObject({
  authority: z.string().min(1).optional(),
  certificate: z.string().min(1).optional(),
  key: z.string().min(1).optional(),
});

/** What is in the files of `tlsFiles`, PEM. */
export interface Papers {
  readonly authority?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** @throws {Fault} `CONFIG_INVALID` */
export function readPapers(files: z.infer<typeof tlsFiles>): Papers {
  const { authority, certificate, key } = files;
  return {
    ...(authority === undefined ? {} : { authority: readFile(authority) }),
    ...(certificate === undefined ? {} : { certificate: readFile(certificate) }),
    ...(key === undefined ? {} : { key: readFile(key) }),
  };
}

/** Whether a name or address is this machine. */
export function isLocal(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?|\/.*)$/.test(host);
}
