/** A sample OPC UA server: a boiler with values of every kind, in namespaces of our choice, secured or not. */
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInThisContext } from "node:vm";
// Jest can not load these packages and @peculiar/x509 in one graph (a cycle of require and import), so that one goes first.
import "#std/x509";
import type * as NodeOpcua from "node-opcua-client";
import type { OPCUAServer, OPCUAServerOptions } from "node-opcua-server";

// Jest gives its sandbox the ArrayBuffer of Node, but typed arrays of its own, whose buffers are then no ArrayBuffers.
for (const name of "Int8 Int16 Int32 Uint16 Uint32 Float32 Float64".split(" "))
  Object.assign(globalThis, { [`${name}Array`]: runInThisContext(`${name}Array`) });

/** Two devices with equal nodes. */
export const PLANT_A = "urn:skerry:test:plant-a";
export const PLANT_B = "urn:skerry:test:plant-b";
/** Who may come in besides strangers. */
export const USER = { name: "operator", password: "secret-of-the-test" };

export interface Sample extends AsyncDisposable {
  readonly server: OPCUAServer;
  readonly port: number;
  /** What `Moving` of plant A says. */
  setMoving(value: number): void;
  setStatus(name: "Good" | "UncertainLastUsableValue" | "BadSensorFailure" | "BadNoCommunication"): void;
}

export interface SampleOptions {
  readonly port?: number;
  /** In the order in which the server numbers them. @default plant A, plant B */
  readonly namespaces?: readonly string[];
  /** Folder of its key, so that two servers can have two certificates. @default "a" */
  readonly pki?: string;
  readonly allowAnonymous?: boolean;
  /** Most nodes in one read, and items in one subscription request. */
  readonly limit?: number;
  /** What else the server has room for, such as `{ maxSubscriptionsPerSession: 1 }`. */
  readonly capabilities?: object;
  /** Many doubles, for benchmarks: how many, and how often they change. */
  readonly crowd?: { readonly count: number; readonly everyMs: number };
}

/** Keys take seconds to make, so they are kept between runs. */
const PKI = join(tmpdir(), "skerry-test-opcua-pki");

/** Starts the sample on 127.0.0.1. Without a port, on one that is free. */
export async function openSample(options: SampleOptions = {}): Promise<Sample> {
  const { port = 0, namespaces = [PLANT_A, PLANT_B], pki = "a", allowAnonymous = true, limit } = options;
  const stack = await import("node-opcua-client");
  const { StatusCodes } = stack;
  stack.setLogLevel(stack.LogLevel.Emergency);
  for (const set of [stack.setWarningLogger, stack.setErrorLogger]) set(() => {});
  const { OPCUACertificateManager } = await import("node-opcua-certificate-manager");
  const { OPCUAServer } = await import("node-opcua-server");
  const manager = (name: string) =>
    new OPCUACertificateManager({
      rootFolder: join(PKI, pki, name),
      automaticallyAcceptUnknownCertificate: true,
      keySize: 2048,
    });
  const limits = limit === undefined ? {} : { maxNodesPerRead: limit, maxMonitoredItemsPerCall: limit };
  const server = new OPCUAServer({
    hostname: "127.0.0.1",
    host: "127.0.0.1",
    port,
    resourcePath: "/plant",
    allowAnonymous,
    serverCertificateManager: manager("server"),
    userCertificateManager: manager("user"),
    userManager: { isValidUser: (name: string, password: string) => name === USER.name && password === USER.password },
    serverCapabilities: {
      maxSessions: 100,
      maxMonitoredItems: 100_000,
      maxMonitoredItemsPerSubscription: 50_000,
      operationLimits: limits,
      ...options.capabilities,
    },
  } as OPCUAServerOptions);
  await server.initialize();
  for (const uri of namespaces) build(stack, server, uri);
  const crowd = options.crowd && buildCrowd(stack, server, options.crowd);
  await server.start();
  return {
    server,
    port: server.endpoints[0]?.port ?? port,
    setMoving(value) {
      nodeOf(server, "Moving").setValueFromSource({ dataType: stack.DataType.Int32, value });
    },
    setStatus(name) {
      nodeOf(server, "Doubtful").setValueFromSource(
        { dataType: stack.DataType.Double, value: 21.5 },
        StatusCodes[name],
      );
    },
    async [Symbol.asyncDispose]() {
      clearInterval(crowd);
      await server.shutdown(0);
    },
  };
}

type Space = NonNullable<OPCUAServer["engine"]["addressSpace"]>;

function spaceOf(server: OPCUAServer): Space {
  const { addressSpace } = server.engine;
  if (!addressSpace) throw new Error("the sample is not initialised");
  return addressSpace;
}

/** The part of a variable of the server that is used here. */
interface Variable {
  setValueFromSource(value: { dataType: NodeOpcua.DataType; value: number }, status?: NodeOpcua.StatusCode): void;
}

/** A node of plant A. */
function nodeOf(server: OPCUAServer, name: string): Variable {
  const space = spaceOf(server);
  return space.findNode(`ns=${space.getNamespaceIndex(PLANT_A)};s=${name}`) as unknown as Variable;
}

function build(stack: typeof NodeOpcua, server: OPCUAServer, uri: string): void {
  const { DataType, StatusCodes, Variant, VariantArrayType } = stack;
  const space = spaceOf(server);
  const own = space.registerNamespace(uri);
  const boiler = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Boiler", nodeId: "s=Boiler" });
  const add = (name: string, dataType: NodeOpcua.DataType, value: unknown, rest: object = {}) =>
    own.addVariable({
      componentOf: boiler,
      browseName: name,
      nodeId: `s=${name}`,
      dataType,
      ...(value === undefined ? {} : { value: new Variant({ dataType, arrayType: VariantArrayType.Scalar, value }) }),
      accessLevel: "CurrentRead | CurrentWrite",
      ...rest,
    } as Parameters<typeof own.addVariable>[0]);
  const readOnly = { accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" };
  add("Moving", DataType.Int32, 0, readOnly);
  add("Doubtful", DataType.Double, 21.5, readOnly);
  add("First", DataType.Double, 0);
  add("Second", DataType.Float, 0);
  add("Whole", DataType.Int64, [0x7fffffff, 0xffffffff]);
  add("Natural", DataType.UInt64, [0xffffffff, 0xffffffff]);
  add("Small", DataType.SByte, -5);
  add("On", DataType.Boolean, true);
  add("Name", DataType.String, "boiler");
  add("Since", DataType.DateTime, new Date("2026-01-02T03:04:05.678Z"));
  add("Bytes", DataType.ByteString, Buffer.from([1, 2, 255]));
  add("Label", DataType.LocalizedText, { text: "Kessel", locale: "de" });
  add("Fixed", DataType.Double, 3.5, readOnly);
  add("List", DataType.Double, undefined, {
    valueRank: 1,
    arrayDimensions: [4],
    value: new Variant({
      dataType: DataType.Double,
      arrayType: VariantArrayType.Array,
      value: new Float64Array([1, 2.5, 3, 4]),
    }),
  });
  add("Matrix", DataType.Int32, undefined, {
    valueRank: 2,
    arrayDimensions: [2, 3],
    value: new Variant({
      dataType: DataType.Int32,
      arrayType: VariantArrayType.Matrix,
      dimensions: [2, 3],
      value: new Int32Array([1, 2, 3, 4, 5, 6]),
    }),
  });
  own.addAnalogDataItem({
    componentOf: boiler,
    browseName: "Setpoint",
    nodeId: "s=Setpoint",
    dataType: DataType.Double,
    engineeringUnitsRange: { low: 0, high: 100 },
    instrumentRange: { low: 20, high: 90 },
    accessLevel: "CurrentRead | CurrentWrite",
    value: new Variant({ dataType: DataType.Double, value: 70 }),
  } as Parameters<typeof own.addAnalogDataItem>[0]);
  const method = own.addMethod(boiler, {
    browseName: "Scale",
    nodeId: "s=Scale",
    inputArguments: [
      { name: "value", dataType: DataType.Double },
      { name: "factor", dataType: DataType.Int16 },
    ],
    outputArguments: [{ name: "product", dataType: DataType.Double }],
  } as Parameters<typeof own.addMethod>[1]);
  method.bindMethod((inputs, _context, callback) => {
    const [value, factor] = inputs.map((input) => Number(input.value));
    const product = new Variant({ dataType: DataType.Double, value: (value ?? 0) * (factor ?? 0) });
    callback(null, { statusCode: StatusCodes.Good, outputArguments: [product] });
  });
}

function buildCrowd(
  { DataType, Variant }: typeof NodeOpcua,
  server: OPCUAServer,
  { count, everyMs }: NonNullable<SampleOptions["crowd"]>,
): NodeJS.Timeout {
  const space = spaceOf(server);
  const own = space.getOwnNamespace();
  const folder = own.addFolder(space.rootFolder.objects, { browseName: "Crowd", nodeId: "s=Crowd" });
  const nodes = Array.from({ length: count }, (_, i) =>
    own.addVariable({
      componentOf: folder,
      browseName: `V${i}`,
      nodeId: `s=V${i}`,
      dataType: DataType.Double,
      value: new Variant({ dataType: DataType.Double, value: 0 }),
    }),
  );
  let tick = 0;
  return setInterval(() => {
    tick++;
    for (const node of nodes) node.setValueFromSource({ dataType: DataType.Double, value: tick });
  }, everyMs);
}

/** As a program: the sample on the port of the standard, counting, until it is stopped. */
async function main(): Promise<void> {
  const sample = await openSample({ port: 4840 });
  const fingerprint = createHash("sha256").update(sample.server.getCertificate()).digest("hex");
  process.stdout.write(`opc.tcp://127.0.0.1:${sample.port}/plant\nfingerprint ${fingerprint}\n`);
  let steps = 0;
  const counting = setInterval(() => sample.setMoving(++steps), 1_000);
  process.once("SIGINT", () => {
    clearInterval(counting);
    void sample[Symbol.asyncDispose]();
  });
}

if (import.meta.main) void main();
