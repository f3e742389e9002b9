import type { Command } from "./command.ts";
import { backup } from "./commands/backup.ts";
import { completion } from "./commands/completion.ts";
import { deviceBrowse } from "./commands/device-browse.ts";
import { deviceCall } from "./commands/device-call.ts";
import { deviceConflicts } from "./commands/device-conflicts.ts";
import { deviceExport } from "./commands/device-export.ts";
import { deviceGet } from "./commands/device-get.ts";
import { deviceImport } from "./commands/device-import.ts";
import { deviceList } from "./commands/device-list.ts";
import { devicePlan } from "./commands/device-plan.ts";
import { deviceProbe } from "./commands/device-probe.ts";
import { deviceRecord } from "./commands/device-record.ts";
import { deviceSet } from "./commands/device-set.ts";
import { deviceTrust } from "./commands/device-trust.ts";
import { deviceWatch } from "./commands/device-watch.ts";
import { deviceWhy } from "./commands/device-why.ts";
import { gaps } from "./commands/gaps.ts";
import { join } from "./commands/join.ts";
import { mqttPassword } from "./commands/mqtt-password.ts";
import { nodeList } from "./commands/node-list.ts";
import { nodeRefuse } from "./commands/node-refuse.ts";
import { reload } from "./commands/reload.ts";
import { reset } from "./commands/reset.ts";
import { restore } from "./commands/restore.ts";
import { runCloud } from "./commands/run-cloud.ts";
import { runDev } from "./commands/run-dev.ts";
import { runEdge } from "./commands/run-edge.ts";
import { simulate } from "./commands/simulate.ts";
import { telemetryQuery } from "./commands/telemetry-query.ts";
import { tokenCreate } from "./commands/token-create.ts";
import { tokenList } from "./commands/token-list.ts";
import { tokenRevoke } from "./commands/token-revoke.ts";
import { version } from "./commands/version.ts";

/** What stands before the second word of a command. */
export const groups: Readonly<Record<string, string>> = {
  run: "Run a role of the stack in the foreground.",
  device: "Look at devices and wish values, through a cluster or directly at a site.",
  telemetry: "Ask the cloud what devices said over time.",
  mqtt: "Prepare the site's MQTT broker.",
  node: "See the nodes of a cloud, and shut one out.",
  token: "Make, list and revoke the one-use tokens by which machines become nodes.",
};

/** Every command of `edgeadm`. Parser, help, completion and `docs/cli.md` are made from this table. */
export const commands: readonly Command[] = [
  runDev,
  runEdge,
  runCloud,
  simulate,
  deviceList,
  deviceGet,
  deviceSet,
  deviceWatch,
  deviceConflicts,
  deviceWhy,
  devicePlan,
  deviceProbe,
  deviceTrust,
  deviceBrowse,
  deviceRecord,
  deviceCall,
  deviceImport,
  deviceExport,
  telemetryQuery,
  gaps,
  nodeList,
  nodeRefuse,
  tokenCreate,
  tokenList,
  tokenRevoke,
  join,
  mqttPassword,
  reload,
  backup,
  restore,
  reset,
  version,
  completion,
];
