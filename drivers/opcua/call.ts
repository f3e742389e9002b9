import type { Raw } from "#devices/driver";
import type { Value } from "#devices/value";
import { Fault } from "#std/fault";
import { variantOf } from "./encode.ts";
import type { Line } from "./line.ts";
import { nodeOf } from "./plan.ts";
import type { OpcuaCommand, OpcuaStation } from "./schema.ts";
import type { NodeId } from "./stack.ts";
import { faultOf, severityOf } from "./status.ts";
import { nameOfType } from "./types.ts";
import { rawOf } from "./value.ts";
import { toVariant } from "./write.ts";

/** A method, and the object it works on. */
export interface Method {
  readonly object: NodeId;
  readonly method: NodeId;
}

/**
 * Calls a method with the types that it wants, and gives its outputs by name. Arguments are given by name or in their
 * order; lists as JSON text.
 *
 * @throws {Fault} `VALUE_INVALID` when an argument is missing, unknown or does not fit, `DEVICE_REFUSED` when the
 * server says no, `LINK_LOST` when the link is gone.
 * **Source:** OPC 10000-4 v1.05, §5.12.2 (Call); OPC 10000-3 v1.05, §8.6 (Argument).
 */
export async function callMethod(
  line: Line,
  { object, method }: Method,
  given: Readonly<Record<string, Raw>> | readonly Raw[],
  signal: AbortSignal,
): Promise<Readonly<Record<string, Raw>>> {
  const { session } = line;
  const { inputArguments, outputArguments } = await line.ask(() => session.getArgumentDefinition(method), signal);
  const known = inputArguments.map(({ name }) => name ?? "");
  const args = isList(given) ? named(known, given) : given;
  const stray = Object.keys(args).filter((name) => !known.includes(name));
  const missing = known.filter((name) => !Object.hasOwn(args, name));
  if (stray.length > 0 || missing.length > 0)
    throw new Fault("VALUE_INVALID", `the method takes ${known.join(", ") || "nothing"}, not ${Object.keys(args)}`);
  const inputs = [];
  for (const { name, dataType, valueRank } of inputArguments) {
    const basic = await line.ask(() => line.stack.findBasicDataType(session, dataType), signal);
    const type = nameOfType(basic) ?? "Variant";
    inputs.push(toVariant(line, variantOf(args[name ?? ""] ?? "", { type, rank: valueRank })));
  }
  const request = { objectId: object, methodId: method, inputArguments: inputs };
  const answer = await line.ask(() => session.call(request), signal);
  if (severityOf(answer.statusCode) === "bad") {
    const wrong = answer.inputArgumentResults?.findIndex((status) => severityOf(status) === "bad") ?? -1;
    throw faultOf(answer.statusCode, wrong < 0 ? "the call" : (known[wrong] ?? "the call"), "calling");
  }
  const outputs = (answer.outputArguments ?? []).map((output, i) => {
    const raw = rawOf(output);
    if (raw instanceof Fault) throw raw;
    return [outputArguments[i]?.name ?? `output${i + 1}`, raw] as const;
  });
  return Object.fromEntries(outputs);
}

/** Calls a command of a device; a single output is the answer itself, several are a record. */
export async function callCommand(
  line: Line,
  station: OpcuaStation,
  { object, method }: OpcuaCommand,
  args: readonly Value[],
  signal: AbortSignal,
): Promise<Value> {
  const called = { object: nodeOf(line, station, object), method: nodeOf(line, station, method) };
  const outputs = Object.entries(await callMethod(line, called, args.map(rawOfValue), signal));
  const [only] = outputs;
  if (!only) return null;
  return outputs.length === 1
    ? valueOfRaw(only[1])
    : Object.fromEntries(outputs.map(([k, raw]) => [k, valueOfRaw(raw)]));
}

function isList(given: Readonly<Record<string, Raw>> | readonly Raw[]): given is readonly Raw[] {
  return Array.isArray(given);
}

function named(names: readonly string[], args: readonly Raw[]): Readonly<Record<string, Raw>> {
  if (args.length === names.length) return Object.fromEntries(names.map((name, i) => [name, args[i] ?? ""]));
  const wanted = names.length === 0 ? "no arguments" : `${names.length}: ${names.join(", ")}`;
  throw new Fault("VALUE_INVALID", `the method takes ${wanted}; ${args.length} were given`);
}

function rawOfValue(value: Value): Raw {
  if (value === null) throw new Fault("VALUE_INVALID", "an argument can not be null");
  return typeof value === "object" ? JSON.stringify(value) : value;
}

/** Integers beyond 2^53 are decimal strings, as everywhere. */
function valueOfRaw(raw: Raw): Value {
  if (typeof raw !== "bigint") return raw;
  return Number.isSafeInteger(Number(raw)) ? Number(raw) : raw.toString();
}
