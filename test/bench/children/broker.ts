/** A broker alone, for the bare script. */
import { openBroker } from "#edge/broker/broker";
import { silent } from "#std/log";
import { serveParent } from "../child.ts";

const broker = await openBroker({ host: "127.0.0.1", port: 0, log: silent });
serveParent({ port: broker.port }, async () => await broker[Symbol.asyncDispose]());
