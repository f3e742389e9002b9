/** A registry on a free port with its own authority, and clients for it. */
import { connect } from "node:http2";
import type { Readable } from "node:stream";
import { Agent, request } from "undici";
import { openRegistry, type Registry, type RegistryOptions } from "#registry/main";
import { silent } from "#std/log";
import { type Credentials, createAuthority, issue } from "#std/x509";

/** An answer, parsed. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

/** One line of a watch. */
export interface Line {
  readonly type: string;
  readonly object: Record<string, unknown> & { readonly metadata: Record<string, unknown> };
}

/** Somebody who talks to the registry. */
export interface TestClient {
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a body as it comes; the signal ends it in the middle. */
  stream(method: string, path: string, body: Readable, signal: AbortSignal): Promise<unknown>;
  /** Lines of a watch; ending the loop ends it. Resolves when the registry has begun to answer. */
  watch(path: string, headers?: Record<string, string>): Promise<AsyncIterableIterator<Line>>;
}

/** An open registry and the ways to it. */
export interface TestRegistry extends AsyncDisposable {
  readonly registry: Registry;
  /** The administrator. */
  readonly admin: TestClient;
  /** The administrator's, as text. */
  readonly kubeconfig: string;
  readonly authority: Credentials;
  /** A client with a certificate of this user. */
  as(user: string, groups: readonly string[]): Promise<TestClient>;
  /** A client with nothing but these headers, or the certificate that is given. */
  anybody(headers?: Record<string, string>, credentials?: Credentials): TestClient;
  /** The protocol that the registry chooses for a client that speaks HTTP/2. */
  protocol(): Promise<string>;
}

/** Opens a registry in memory, or as the options say. */
export async function openTestRegistry(options: Partial<RegistryOptions> = {}): Promise<TestRegistry> {
  const authority = await createAuthority("test authority", 1);
  const serving = await issue(authority, { commonName: "registry", hosts: ["127.0.0.1"], usage: "server", days: 1 });
  const admin = await issue(authority, person("admin", ["system:masters"]));
  const registry = await openRegistry({
    database: ":memory:",
    host: "127.0.0.1",
    port: 0,
    serving,
    clientAuthority: authority.certificate,
    log: silent,
    ...options,
  });
  const agents: Agent[] = [];

  function client(headers: Record<string, string>, credentials?: Credentials): TestClient {
    const { certificate: cert, key } = credentials ?? {};
    const own = cert === undefined || key === undefined ? {} : { cert, key };
    const agent = new Agent({ connect: { ca: authority.certificate, ...own }, bodyTimeout: 0 });
    agents.push(agent);
    return clientOf(registry.url, agent, headers);
  }

  return {
    registry,
    authority,
    admin: client({}, admin),
    kubeconfig: kubeconfigOf(registry.url, authority.certificate, admin),
    as: async (user, groups) => client({}, await issue(authority, person(user, groups))),
    anybody: (headers = {}, credentials) => client(headers, credentials),
    protocol: () => protocolOf(registry.url, authority.certificate),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await Promise.all(agents.map((agent) => agent.destroy()));
    },
  };
}

function person(commonName: string, organizations: readonly string[]) {
  return { commonName, organizations, usage: "client", days: 1 } as const;
}

function clientOf(url: string, dispatcher: Agent, own: Record<string, string>): TestClient {
  function send(method: string, path: string, body: unknown, headers: Record<string, string>) {
    const text =
      body === undefined ? null : typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
    return request(url + path, { method, body: text, dispatcher, headers: { ...type, ...own, ...headers } });
  }
  return {
    async request(method, path, body, headers = {}) {
      const answer = await send(method, path, body, headers);
      const text = await answer.body.text();
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text,
        body: text.startsWith("{") ? JSON.parse(text) : {},
      };
    },
    stream: (method, path, body, signal) =>
      request(url + path, {
        method,
        body,
        signal,
        dispatcher,
        headers: { ...own, "content-type": "application/json" },
      }),
    async watch(path, headers = {}) {
      const answer = await send("GET", path, undefined, headers);
      return lines(answer.body);
    },
  };
}

async function* lines(body: AsyncIterable<Buffer>): AsyncGenerator<Line, void, void> {
  let rest = "";
  for await (const chunk of body) {
    const parts = (rest + chunk.toString()).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) yield JSON.parse(part) as Line;
  }
}

function kubeconfigOf(server: string, authority: string, { certificate, key }: Credentials): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const user = { "client-certificate-data": base64(certificate), "client-key-data": base64(key) };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    contexts: [{ name: "test", context: { cluster: "test", user: "admin", namespace: "default" } }],
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": base64(authority) } }],
    users: [{ name: "admin", user }],
  });
}

function protocolOf(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connect(url, { ca });
    session.once("error", reject);
    session.once("connect", () => {
      resolve(session.alpnProtocol ?? "");
      session.destroy();
    });
  });
}

/** Path of the collection that `widgets` serves. */
export const WIDGETS = "/apis/example.dev/v1/namespaces/default/widgets";
export const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** A definition with a bit of everything. Parts of its only version can be replaced. */
export function widgets(version: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const condition = { type: "object", required: ["type"], properties: { type: TEXT, status: TEXT, reason: TEXT } };
  const spec = {
    type: "object",
    description: "What the widget should be.",
    required: ["size"],
    properties: {
      size: { type: "integer", minimum: 0, maximum: 10, description: "How large it is." },
      colour: { type: "string", enum: ["red", "green", "blue"], default: "red", description: "What it looks like." },
      code: { type: "string", pattern: "^[a-z]+$", maxLength: 5 },
      tags: { type: "array", maxItems: 3, "x-kubernetes-list-type": "set", items: TEXT },
      port: { "x-kubernetes-int-or-string": true },
      free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      labels: { type: "object", additionalProperties: TEXT },
    },
  };
  const status = {
    type: "object",
    properties: { size: { type: "integer" }, conditions: { type: "array", items: condition } },
  };
  const served = {
    name: "v1",
    served: true,
    storage: true,
    subresources: { status: {}, scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" } },
    selectableFields: [{ jsonPath: ".spec.colour" }],
    additionalPrinterColumns: [
      { name: "Size", type: "integer", jsonPath: ".spec.size" },
      { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: "Colour", type: "string", jsonPath: ".spec.colour", priority: 1 },
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    ],
    schema: {
      openAPIV3Schema: {
        type: "object",
        description: "A widget, for tests.",
        required: ["spec"],
        properties: { spec, status },
      },
    },
    ...version,
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.dev" },
    spec: {
      group: "example.dev",
      scope: "Namespaced",
      names: { kind: "Widget", plural: "widgets", singular: "widget", shortNames: ["wd"], categories: ["all"] },
      versions: [served],
    },
  };
}

const TEXT = { type: "string" };

/** A widget. */
export function widget(name: string, spec: Readonly<Record<string, unknown>> = { size: 1 }, metadata: object = {}) {
  return { apiVersion: "example.dev/v1", kind: "Widget", metadata: { name, ...metadata }, spec };
}

/** The value under a path of keys, such as `at(body, "metadata", "uid")`. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((one, key) => (one as Record<string | number, unknown> | undefined)?.[key], value);
}
