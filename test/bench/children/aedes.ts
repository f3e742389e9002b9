/** The package aedes as it comes from the box. */
import { openAedes } from "../../rigs/aedes.ts";
import { serveParent } from "../child.ts";

const broker = await openAedes();
serveParent({ port: broker.port }, async () => await broker[Symbol.asyncDispose]());
