import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

test("the stack is loaded when a link is opened and not before, and prints nothing", async () => {
  const script = `
    import { registerHooks } from "node:module";
    const seen = [];
    registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) });
    const loaded = () => seen.some((url) => url.includes("/node-opcua"));
    const { drivers } = await import("./drivers/index.ts");
    for (const load of Object.values(drivers)) await load();
    const driver = (await import("./drivers/opcua/index.ts")).opcua();
    const link = driver.link.parse({ endpoint: "opc.tcp://127.0.0.1:1" });
    driver.address.parse({ nodeId: "s=x" });
    const before = loaded();
    await driver.connect(link, AbortSignal.timeout(15_000)).catch(() => {});
    console.log(JSON.stringify({ before, after: loaded() }));
    process.exit(0);
  `;
  const args = ["--conditions=source", "--input-type=module", "--eval", script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(JSON.parse(stdout)).toEqual({ before: false, after: true });
  expect(stderr).toBe("");
});
