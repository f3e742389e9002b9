import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

test("the stack is loaded when a link is opened, in a thread of its own, and prints nothing", async () => {
  const script = `
    import { registerHooks } from "node:module";
    const seen = [];
    registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) });
    const loaded = () => seen.some((url) => url.includes("/node-opcua"));
    const { drivers } = await import("./drivers/index.ts");
    for (const load of Object.values(drivers)) await load();
    const { opcua } = await import("./drivers/opcua/index.ts");
    const driver = opcua();
    const link = driver.link.parse({ endpoint: "opc.tcp://127.0.0.1:1" });
    driver.address.parse({ nodeId: "s=x" });
    const before = loaded();
    const tryConnect = (driver) => driver.connect(link, AbortSignal.timeout(15_000)).catch(({ code }) => code);
    const answer = await tryConnect(driver);
    const besideThread = loaded();
    await tryConnect(opcua({ isolation: "none" }));
    console.log(JSON.stringify({ before, answer, besideThread, withoutThread: loaded() }));
    process.exit(0);
  `;
  const args = ["--conditions=source", "--input-type=module", "--eval", script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(JSON.parse(stdout)).toEqual({
    before: false,
    answer: "LINK_LOST",
    besideThread: false,
    withoutThread: true,
  });
  expect(stderr).toBe("");
});
