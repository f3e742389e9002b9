import type { DeviceReport } from "#devices/status";
import { type Carrier, type CarrierTls, dial } from "#wire/carrier";
import { decodeFrame, encodeFrame } from "#wire/frame";
import { type CloudMessage, cloudMessage, type EdgeMessage, type Row, WIRE_VERSION } from "#wire/messages";

/** A node as far as the cloud can tell: it dials the tunnel, says what a test wants, and keeps what it hears. */
export interface FakeEdge extends Disposable {
  /** Everything that was heard, in order. */
  readonly heard: readonly CloudMessage[];
  /** What was heard of one kind. */
  of<K extends CloudMessage["kind"]>(kind: K): readonly Extract<CloudMessage, { kind: K }>[];
  /** True when the connection has ended. */
  readonly isClosed: boolean;
  say(message: EdgeMessage): void;
  /** Any bytes, for those that should be refused. */
  sayBytes(bytes: Uint8Array): void;
}

export interface FakeEdgeOptions {
  readonly url: string;
  readonly tls: CarrierTls;
  /** @default "epoch-1" */
  readonly epoch?: string;
  /** The process that speaks. @default "run-1" */
  readonly run?: string;
  /** @default high enough for whatever a test says */
  readonly head?: number;
  /** @default the present one */
  readonly version?: number;
  /** Without it, nothing is said at first. @default true */
  readonly greets?: boolean;
}

/** Dials a cloud and says hello. */
export async function fakeEdge(options: FakeEdgeOptions): Promise<FakeEdge> {
  const { url, tls, epoch = "epoch-1", run = "run-1", head = 1e9, version = WIRE_VERSION, greets = true } = options;
  const carrier = await dial(url, tls, new AbortController().signal);
  const heard: CloudMessage[] = [];
  let isClosed = false;
  void hear(carrier, heard).finally(() => {
    isClosed = true;
  });
  const say = (message: EdgeMessage) => carrier.send(encodeFrame(message));
  if (greets) say({ kind: "hello", version, program: "fake edge", epoch, head, runs: [run] });
  return {
    heard,
    of: (kind) => heard.filter((message) => message.kind === kind) as never,
    get isClosed() {
      return isClosed;
    },
    say,
    sayBytes: (bytes) => carrier.send(bytes),
    [Symbol.dispose]: () => carrier.close("the test ends"),
  };
}

async function hear(carrier: Carrier, heard: CloudMessage[]): Promise<void> {
  for await (const frame of carrier.frames) heard.push(decodeFrame(cloudMessage, frame));
}

/** A row of telemetry. */
export function telemetry(seq: number, rest: Partial<Row> = {}): Row {
  const body = JSON.stringify({ at: 1_000 + seq, seq, values: { temperature: seq } });
  return { seq, namespace: "default", device: "boiler-1", kind: "telemetry", at: 1_000 + seq, body, ...rest };
}

/** The report of a device that answers and is as desired. */
export function answering(device: Pick<DeviceReport, "uid" | "name">, rest: Partial<DeviceReport> = {}): DeviceReport {
  return {
    namespace: "default",
    generation: 1,
    modelGeneration: 1,
    online: true,
    reason: "Answering",
    message: "answers",
    protocol: "virtual",
    properties: [{ name: "temperature", reported: 21.5, at: 1_700_000_000_000, quality: "good" }],
    ...device,
    ...rest,
  };
}
