/** A broker in a process of its own, to be killed. */
import { openBroker } from "#edge/broker/broker";
import { silent } from "#std/log";

const dataDir = process.argv[2] ?? ":memory:";
const broker = await openBroker({ host: "127.0.0.1", port: 0, log: silent, dataDir });
process.send?.(broker.port);
