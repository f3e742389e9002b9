import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "#std/schema";
import { WIRE_VERSION } from "#wire/messages";

const manifest = z.object({ version: z.string() });

/** What this program is. @param root - folder of the package. */
export function program(root: string): { readonly version: string; readonly wire: number; readonly node: string } {
  const { version } = manifest.parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
  return { version, wire: WIRE_VERSION, node: process.versions.node };
}
