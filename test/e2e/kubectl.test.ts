/** Real kubectl binaries against the registry: each command must say what it says on a cluster. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { printYaml } from "#std/yaml";
import { folder } from "../rigs/folder.ts";
import { findKubectls } from "../rigs/kubectl.ts";
import { openTestRegistry, type TestRegistry, WIDGETS, widget, widgets } from "../rigs/registry.ts";

/** One command. `out` is looked for in what it prints to both streams, `not` must not be there. */
interface Command {
  readonly args: string;
  /** @default 0 */
  readonly code?: number;
  readonly out?: RegExp;
  readonly not?: RegExp;
  /** An object, or how to make it. */
  readonly stdin?: object | ((rig: TestRegistry) => Promise<object>);
  readonly env?: Readonly<Record<string, string>>;
}

const small = widget("a", { size: 3 }, { labels: { tier: "one" } });
const configMap = (data: object) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "conf" }, data });
/** kubectl looks for events by the uid of what they are about. */
async function event({ admin }: TestRegistry): Promise<object> {
  const { body } = await admin.request("GET", `${WIDGETS}/a`);
  const { uid } = body.metadata as { uid: string };
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "a.1" },
    involvedObject: { apiVersion: "example.dev/v1", kind: "Widget", name: "a", namespace: "default", uid },
    type: "Warning",
    reason: "Jammed",
    message: "it does not turn",
    firstTimestamp: "2026-01-01T00:00:00Z",
    lastTimestamp: "2026-01-01T00:00:00Z",
    count: 3,
  };
}

const commands: readonly Command[] = [
  { args: "version", out: /Server Version: v1\.32\.0/ },
  { args: "get ns", out: /default +Active/ },
  { args: "api-versions", out: /apiextensions\.k8s\.io\/v1[\s\S]*coordination\.k8s\.io\/v1/ },
  { args: "get widgets", code: 1, out: /doesn't have a resource type/ },
  { args: "apply -f -", stdin: widgets(), out: /widgets\.example\.dev created/ },
  { args: "apply -f -", stdin: widgets(), out: /widgets\.example\.dev unchanged/ },
  { args: "wait --for=condition=Established crd/widgets.example.dev --timeout=10s", out: /condition met/ },
  { args: "get crd", out: /NAME +CREATED AT\s+widgets\.example\.dev/ },
  { args: "api-resources --api-group=example.dev", out: /widgets +wd +example\.dev\/v1 +true +Widget/ },
  { args: "explain wd.spec.size", out: /How large it is/ },
  { args: "explain wd --recursive", out: /spec\s+<Object>[\s\S]*size\s+<integer>[\s\S]*status\s+<Object>/ },
  { args: "explain configmap.metadata.ownerReferences", out: /blockOwnerDeletion/ },
  { args: "apply --dry-run=server -f -", stdin: small, out: /a created \(server dry run\)/ },
  { args: "get wd", out: /No resources found/ },
  { args: "apply -f -", stdin: small, out: /widget\.example\.dev\/a created/ },
  { args: "apply -f -", stdin: small, out: /unchanged/ },
  { args: "get wd", out: /NAME +SIZE +READY +AGE\s+a +3 /, not: /COLOUR/ },
  { args: "get widget/a -o wide", out: /COLOUR[\s\S]*red/ },
  { args: "get all", out: /a +3/ },
  { args: "get wd -A --show-labels", out: /default +a +3[\s\S]*tier=one/ },
  { args: "get wd a -o yaml", out: /colour: red[\s\S]*size: 3/ },
  { args: "get wd -o json", out: /"kind": "List"/ },
  { args: "get wd -o name", out: /^widget\.example\.dev\/a$/m },
  { args: "get wd a -o jsonpath={.spec.size}", out: /^3$/ },
  { args: "get wd -o custom-columns=N:.metadata.name,C:.spec.colour", out: /a +red/ },
  { args: "get wd b", code: 1, out: /NotFound.*widgets\.example\.dev "b" not found/ },
  { args: "create -f -", stdin: small, code: 1, out: /AlreadyExists/ },
  {
    args: "create -f -",
    stdin: widget("b", { size: 99, colour: "pink" }),
    code: 1,
    out: /\* spec\.colour: Unsupported value: "pink"[\s\S]*\* spec\.size: Invalid value: 99/,
  },
  { args: "create -f -", stdin: widget("b", {}), code: 1, out: /spec\.size: Required value/ },
  {
    args: "create -f -",
    stdin: widget("b", { size: 1, sise: 2 }),
    code: 1,
    out: /strict decoding error: unknown field "spec\.sise"/,
  },
  {
    args: "create --validate=warn -f -",
    stdin: widget("b", { size: 1, sise: 2 }),
    out: /Warning: unknown field "spec\.sise"[\s\S]*b created/,
  },
  { args: "create --validate=false -f -", stdin: widget("c", { size: 1, sise: 2 }), out: /c created/, not: /Warning/ },
  { args: "diff -f -", stdin: widget("a", { size: 5 }), code: 1, out: /-\s+size: 3\n\+\s+size: 5/ },
  { args: "apply -f -", stdin: widget("a", { size: 4 }), out: /configured/ },
  { args: "get wd a -o jsonpath={.spec.size},{.metadata.generation},{.metadata.labels}", out: /^4,2,$/ },
  { args: "apply --server-side -f -", stdin: small, code: 1, out: /Server-side apply not available on the server/ },
  { args: 'patch wd a --type=merge -p {"spec":{"size":5}}', out: /a patched/ },
  { args: 'patch wd a --type=json -p [{"op":"replace","path":"/spec/size","value":6}]', out: /a patched/ },
  {
    args: 'patch wd a --type=json -p [{"op":"test","path":"/spec/size","value":1}]',
    code: 1,
    out: /testing value failed/,
  },
  { args: 'patch wd a -p {"spec":{"size":7}}', code: 1, out: /is not supported by example\.dev\/v1, Kind=Widget/ },
  {
    args: 'patch wd a --subresource=status --type=merge -p {"spec":{"size":9},"status":{"conditions":[{"type":"Ready","status":"True"}]}}',
    out: /patched/,
  },
  { args: "wait --for=condition=Ready wd/a --timeout=10s", out: /condition met/ },
  { args: "wait --for=jsonpath={.spec.size}=6 wd/a --timeout=10s", out: /condition met/ },
  { args: "edit wd a", env: { KUBE_EDITOR: "sed -i -e 's/size: 6/size: 8/'" }, out: /a edited/ },
  { args: "edit wd a", env: { KUBE_EDITOR: "true" }, out: /Edit cancelled, no changes made/ },
  { args: "scale wd a --replicas=2", out: /a scaled/ },
  { args: "get wd a -o jsonpath={.spec.size},{.status.conditions[0].status}", out: /^2,True$/ },
  { args: "label wd a zone=x", out: /a labeled/ },
  { args: "label wd a zone=y", code: 1, out: /--overwrite is false/ },
  { args: "label wd a zone-", out: /a unlabeled/ },
  { args: "annotate wd a note=hello", out: /a annotated/ },
  { args: "get wd -l zone", out: /No resources found/ },
  { args: "get wd --field-selector spec.colour=red", out: /a[\s\S]*b[\s\S]*c/ },
  { args: "get wd --field-selector spec.size=1", code: 1, out: /field label not supported: spec\.size/ },
  { args: "get wd --chunk-size=1", out: /a +2[\s\S]*b +1[\s\S]*c +1/ },
  { args: "create -f -", stdin: event, out: /event\/a\.1 created/ },
  { args: "describe wd a", out: /Annotations: +note: hello[\s\S]*Events:[\s\S]*Jammed[\s\S]*it does not turn/ },
  { args: "get events", out: /LAST SEEN[\s\S]*Warning +Jammed +widget\/a +it does not turn/ },
  { args: "events --for wd/a", out: /Jammed/ },
  { args: "replace -f -", stdin: widget("c", { size: 2 }), out: /c replaced/ },
  { args: "create ns site", out: /namespace\/site created/ },
  { args: "create cm conf -n site --from-literal=a=b", out: /configmap\/conf created/ },
  { args: "create secret generic key -n site --from-literal=a=b", out: /secret\/key created/ },
  { args: "create sa robot -n site", out: /serviceaccount\/robot created/ },
  {
    args: "get cm,secret,sa -n site",
    out: /configmap\/conf +1[\s\S]*secret\/key +Opaque +1[\s\S]*serviceaccount\/robot/,
  },
  { args: "get secret key -n site -o jsonpath={.data.a}", out: /^Yg==$/ },
  { args: "describe ns site", out: /Status: +Active/ },
  { args: "create role r --verb=get --resource=widgets", code: 1, out: /could not find the requested resource/ },
  { args: "apply -f -", stdin: configMap({ a: "1", b: "2" }), out: /conf created/ },
  { args: "apply -f -", stdin: configMap({ a: "3" }), out: /conf configured/ },
  { args: "get cm conf -o jsonpath={.data}", out: /^\{"a":"3"\}$/ },
  { args: 'patch cm conf -p {"data":{"c":"4"}}', out: /patched/ },
  {
    args: "apply --prune --prune-allowlist=core/v1/ConfigMap -l none=here -f -",
    stdin: { ...configMap({ a: "3" }), metadata: { name: "kept", labels: { none: "here" } } },
    out: /kept created/,
  },
  { args: "auth can-i delete widgets", out: /^yes/ },
  { args: "auth whoami", out: /Username +admin/ },
  { args: "get --raw /readyz?verbose", out: /readyz check passed/ },
  { args: 'patch wd b --type=merge -p {"metadata":{"finalizers":["example.dev/hold"]}}', out: /patched/ },
  { args: "delete wd b --wait=false", out: /"b" deleted/ },
  { args: "get wd b -o jsonpath={.metadata.deletionTimestamp}", out: /^20/ },
  { args: 'patch wd b --type=merge -p {"metadata":{"finalizers":null}}', out: /patched/ },
  { args: "delete wd b --ignore-not-found", not: /./ },
  { args: "delete wd a c", out: /"a" deleted[\s\S]*"c" deleted/ },
  { args: "delete ns site --timeout=20s", out: /"site" deleted/ },
  { args: "get cm -n site", out: /No resources found/ },
  { args: "delete crd widgets.example.dev --timeout=20s", out: /deleted/ },
  { args: "get wd", code: 1, out: /could not find the requested resource|doesn't have a resource type/ },
];

const NAME = "{.metadata.name}";
const binaries = findKubectls();
if (binaries.length === 0) test.skip("kubectl is not on the PATH, so it can not be tried", () => {});

describe.each(binaries)("kubectl $version", ({ binary }) => {
  const home = folder();
  let rig: TestRegistry;

  beforeAll(async () => {
    rig = await openTestRegistry();
    writeFileSync(join(home.path, "config"), rig.kubeconfig);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    home[Symbol.dispose]();
  });

  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    spawn(binary, args, {
      env: { PATH: process.env.PATH, HOME: home.path, KUBECONFIG: join(home.path, "config"), ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });

  async function run({ args, stdin, env }: Command): Promise<{ code: number | null; printed: string }> {
    const child = start(args.split(" "), env);
    child.stdin.end(stdin === undefined ? "" : printYaml(typeof stdin === "function" ? await stdin(rig) : stdin));
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += chunk));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, printed: printed.trim() };
  }

  test(`${commands.length} commands say what they say on a cluster`, async () => {
    for (const command of commands) {
      const { code = 0, out, not } = command;
      const { code: actual, printed } = await run(command);
      const told = `kubectl ${command.args}\n${printed}`;
      expect([told, actual]).toEqual([told, code]);
      if (out && !out.test(printed)) expect(told).toMatch(out);
      if (not?.test(printed)) expect(told).not.toMatch(not);
    }
  }, 60_000);

  test("get --watch prints a line for each change", async () => {
    const config = "/api/v1/namespaces/default/configmaps";
    await rig.admin.request("POST", config, { metadata: { name: "watched" }, data: { a: "1" } });
    // A list is watched from its own version. Of a single object kubectl would skip what comes between get and watch.
    const child = start(["get", "cm", "--watch"]);
    const chunks = child.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
    let printed = "";
    const until = async (pattern: RegExp) => {
      while (!pattern.test(printed)) {
        const { value, done } = await chunks.next();
        if (done) throw new Error(`kubectl ended after: ${printed}`);
        printed += value;
      }
    };
    await until(/watched +1 /);
    const type = { "content-type": "application/merge-patch+json" };
    await rig.admin.request("PATCH", `${config}/watched`, { data: { b: "2" } }, type);
    await until(/watched +2 /);
    const closed = new Promise((resolve) => child.once("close", resolve));
    child.kill();
    await closed;
  });

  test("an informer's first list may come by watch", async () => {
    await rig.admin.request("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: "listed" } });
    const env = { KUBE_FEATURE_WatchListClient: "true" };
    const { code, printed } = await run({ args: `wait --for=jsonpath=${NAME}=listed cm/listed --timeout=10s`, env });
    expect([printed, code]).toEqual(["configmap/listed condition met", 0]);
  });
});
