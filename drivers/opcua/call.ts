import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { variantOf } from "./encode.ts";
import type { Line } from "./line.ts";
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
 * Calls a method with the types that it wants, and gives its outputs by name. Arguments are given by name; lists as JSON
 * text.
 *
 * @throws {Fault} `VALUE_INVALID` when an argument is missing, unknown or does not fit, `DEVICE_REFUSED` when the
 * server says no, `LINK_LOST` when the link is gone.
 * **Source:** OPC 10000-4 v1.05, §5.12.2 (Call); OPC 10000-3 v1.05, §8.6 (Argument).
 */
export async function callMethod(
  line: Line,
  { object, method }: Method,
  args: Readonly<Record<string, Raw>>,
  signal: AbortSignal,
): Promise<Readonly<Record<string, Raw>>> {
  const { session } = line;
  const { inputArguments, outputArguments } = await line.ask(() => session.getArgumentDefinition(method), signal);
  const known = inputArguments.map(({ name }) => name ?? "");
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
