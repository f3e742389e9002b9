/** A broker alone; with a folder it is durable. */
import { openBroker } from "#edge/broker/broker";
import { silent } from "#std/log";
import { childOptions, serveParent } from "../child.ts";

const { dataDir } = childOptions<{ dataDir?: string }>();
const broker = await openBroker({ host: "127.0.0.1", port: 0, log: silent, ...(dataDir ? { dataDir } : {}) });
serveParent({ port: broker.port }, async () => await broker[Symbol.asyncDispose]());
