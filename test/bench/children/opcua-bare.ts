/** The yardstick: the stack's own monitored items in one group, each value counted in its callback, nothing else. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import {
  type ClientMonitoredItemGroup,
  MessageSecurityMode,
  OPCUAClient,
  SecurityPolicy,
  TimestampsToReturn,
} from "node-opcua-client";
import { childOptions } from "../child.ts";
import { type OpcuaLoad, serveCount } from "./opcua-count.ts";

const { port, count, everyMs, security } = childOptions<OpcuaLoad>();
const client = OPCUAClient.create({
  endpointMustExist: false,
  clientCertificateManager: new OPCUACertificateManager({
    rootFolder: join(tmpdir(), "skerry-test-opcua-pki", "bare"),
    automaticallyAcceptUnknownCertificate: true,
  }),
  securityMode: security ? MessageSecurityMode.SignAndEncrypt : MessageSecurityMode.None,
  securityPolicy: security ? SecurityPolicy.Aes256_Sha256_RsaPss : SecurityPolicy.None,
});
await client.connect(`opc.tcp://127.0.0.1:${port}/plant`);
const session = await client.createSession();
const subscription = await session.createSubscription2({
  requestedPublishingInterval: everyMs,
  requestedMaxKeepAliveCount: 10,
  requestedLifetimeCount: 120,
  publishingEnabled: true,
});
let values = 0;
const size = 1_000;
for (let from = 0; from < count; from += size) {
  const items = Array.from({ length: Math.min(size, count - from) }, (_, i) => ({
    nodeId: `ns=1;s=V${from + i}`,
    attributeId: 13,
  }));
  const group: ClientMonitoredItemGroup = await subscription.monitorItems(
    items,
    { samplingInterval: 0, queueSize: 5, discardOldest: true },
    TimestampsToReturn.Both,
  );
  group.on("changed", () => {
    values++;
  });
}
serveCount(
  () => values,
  async () => {
    await session.close(true);
    await client.disconnect();
  },
);
