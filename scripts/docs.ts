/** Prints the documents that are derived from tables: `npm run docs`. `test/docs.test.ts` proves them fresh. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commands, groups } from "#cli/commands";
import { manual } from "#cli/manual";
import { faults } from "#std/fault";
import { z } from "#std/schema";
import type { Topic } from "#wire/topic";
import { topics } from "#wire/topics";

const note = (from: string) =>
  `<!-- Printed by scripts/docs.ts from ${from}; change that and run: npm run docs -->\n\n`;

/** The derived documents by their file name. */
export function documents(): Readonly<Record<string, string>> {
  return {
    "cli.md": note("src/cli/commands") + manual(commands, groups),
    "faults.md": note("src/std/fault.ts") + faultPage(),
    "topics.md": note("src/wire/topics.ts") + topicPage(),
  };
}

function faultPage(): string {
  const rows = Object.entries(faults).map(([code, { retry, hint }]) => {
    return `| \`${code}\` | ${retry ? "yes" : "no"} | ${hint} |`;
  });
  return `# Faults

Every way in which Skerry fails has a code. It is the same in logs, in answers of the HTTP APIs (problem+json, RFC 9457), in
the conditions of Devices, on MQTT and on the command line. Codes do not change; messages may.

A fault that may pass is tried again by whoever met it; the others wait until somebody changes something.

| Code | May pass by itself | What to do |
| --- | --- | --- |
${rows.join("\n")}
`;
}

function topicPage(): string {
  const all = Object.values(topics) as readonly Topic[];
  const rows = all.map(({ pattern, qos, retain, summary }) => {
    return `| \`${pattern}\` | ${qos} | ${retain ? "yes" : "no"} | ${summary} |`;
  });
  const bodies = all.map(({ pattern, body }) => {
    const { $schema: _, ...schema } = z.toJSONSchema(body, { io: "input", unrepresentable: "any" });
    return `## ${pattern}\n\n\`\`\`json\n${JSON.stringify(schema, null, 2)}\n\`\`\`\n`;
  });
  return `# Topics

What a site's MQTT broker carries. The broker speaks MQTT 3.1.1 and listens on 127.0.0.1:1883 unless it is told otherwise.
Payloads are JSON; times are milliseconds since the Unix epoch. Retained topics say what is so now: who subscribes gets it
at once. Their words in braces are one level each: a device, a property, a command.

| Topic | QoS | Retained | What it says |
| --- | --- | --- | --- |
${rows.join("\n")}

The shape of each payload, as JSON Schema:

${bodies.join("\n")}`;
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, "../docs");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(documents())) writeFileSync(join(folder, name), text);
}
