import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { expect, test } from "@jest/globals";
import { openExternalBroker } from "#edge/bridge/external";
import { openBroker } from "#edge/broker/broker";
import { externalConfig } from "#edge/broker/config";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { topics } from "#wire/topics";
import { eventually } from "../../../rigs/eventually.ts";
import { join, publishPacket } from "../broker/raw.ts";

test("another broker is the site's: state comes back after its outage, wishes reach the node", async () => {
  const dataDir = mkdtempSync(joinPath(tmpdir(), "external-"));
  const acl = [{ anonymous: true as const, publish: ["#"], subscribe: ["#"] }];
  let far = await openBroker({ host: "127.0.0.1", port: 0, log: silent, dataDir, acl });
  const { port } = far;
  const config = externalConfig.parse({ url: `mqtt://127.0.0.1:${port}` });
  const broker = await openExternalBroker(config, { node: "site-a", clock: systemClock, log: silent, state: () => {} });
  const end = new AbortController();
  try {
    const wishes: unknown[] = [];
    const reading = (async () => {
      for await (const message of broker.subscribe(topics.set, end.signal)) {
        wishes.push(message.params);
        message.accept();
      }
    })();
    await eventually(() => broker.clients === 1 && far.figures.subscriptions === 1);
    broker.publishText("state/a", "1", true);
    {
      using client = await join(port, { client: "c" }, ["state/#", 0]);
      await eventually(() => client.messages.length === 1);
      client.send(publishPacket("devices/d/desired/p/set", '{"value":1}', { qos: 1, id: 1 }));
      await eventually(() => wishes.length === 1);
      expect(wishes).toEqual([{ device: "d", property: "p" }]);
    }
    await far[Symbol.asyncDispose]();
    await eventually(() => broker.clients === 0);
    expect(broker.trouble?.code).toBe("BROKER_LOST");
    broker.publishText("state/a", "2", true);
    broker.publishText("event/a", "lost", false);
    await eventually(() => broker.figures.dropped.get("offline") === 1);
    far = await openBroker({ host: "127.0.0.1", port, log: silent, dataDir, acl });
    using client = await join(port, { client: "c" }, ["state/#", 0]);
    await eventually(() => client.messages.some(({ text }) => text === "2"));
    expect(broker.trouble).toBeUndefined();
    end.abort();
    await reading;
  } finally {
    end.abort();
    await broker[Symbol.asyncDispose]();
    await far[Symbol.asyncDispose]();
    rmSync(dataDir, { recursive: true });
  }
});
