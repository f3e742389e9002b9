import { type Line, VALUE } from "./line.ts";
import { severityOf } from "./status.ts";

/** Facts of a server and their nodes. **Source:** OPC 10000-6 v1.05, annex A.3 (Server_ServerStatus_BuildInfo_...). */
const nodes = {
  vendor: "i=2263",
  product: "i=2261",
  revision: "i=2264",
  build: "i=2265",
  productUri: "i=2262",
} as const;

/** What a server says of itself; facts that it does not have are left out. Asked one by one, as its limits are. */
export async function readBuildInfo({ session, ask }: Line, signal: AbortSignal): Promise<Record<string, string>> {
  const facts: Record<string, string> = {};
  for (const [name, nodeId] of Object.entries(nodes)) {
    const { value, statusCode } = await ask(() => session.read({ nodeId, attributeId: VALUE }), signal);
    if (severityOf(statusCode) === "good" && typeof value?.value === "string") facts[name] = value.value;
  }
  return facts;
}
