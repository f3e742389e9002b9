/** A server with a crowd of doubles that all change at a pace. */
import { openSample } from "../../rigs/opcua-server.ts";
import { childOptions, serveParent } from "../child.ts";

const { count, everyMs } = childOptions<{ count: number; everyMs: number }>();
const sample = await openSample({ crowd: { count, everyMs } });
serveParent({ port: sample.port }, async () => await sample[Symbol.asyncDispose]());
