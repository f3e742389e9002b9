/** A broker in a process of its own, to be killed. */
import { openBroker } from "#edge/broker/broker";
import { mqttLimits } from "#edge/broker/config";
import { silent } from "#std/log";

const dataDir = process.argv[2] ?? ":memory:";
// Nothing may be dropped by policy here, or it would look like a loss.
const limits = mqttLimits.parse({ queueMessages: 10_000_000, queueBytes: 2 ** 40 });
const broker = await openBroker({ host: "127.0.0.1", port: 0, log: silent, dataDir, limits });
process.send?.(broker.port);
process.on("message", () => process.send?.(broker.figures.queued().messages));
