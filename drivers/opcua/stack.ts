/**
 * The one door to `node-opcua-client`. It is 125 packages and 90 MB, so it is loaded when the first link is opened and
 * never before; everybody else in this folder knows its types alone.
 */
import type * as NodeOpcua from "node-opcua-client";

export type Stack = typeof NodeOpcua;
export type {
  ClientSession,
  ClientSubscription,
  EndpointDescription,
  NodeId,
  OPCUAClient,
  ReadValueIdOptions,
  ReferenceDescription,
  UserIdentityInfo,
  Variant,
} from "node-opcua-client";

/** The session's own services for monitored items, which the stack keeps apart in its types. */
export type RawSession = NodeOpcua.ClientSession & NodeOpcua.ClientSessionRawSubscriptionService;

let loading: Promise<Stack> | undefined;

/** The stack, silent: what it would print is told by faults, and its debug output holds values of the plant. */
export function loadStack(): Promise<Stack> {
  loading ??= import("node-opcua-client").then((stack) => {
    const nothing = () => {};
    stack.setLogLevel(stack.LogLevel.Emergency);
    for (const set of [stack.setDebugLogger, stack.setWarningLogger, stack.setErrorLogger]) set(nothing);
    return stack;
  });
  return loading;
}

/** Status of a whole call that the server refused; undefined when the error is of another kind. */
export function refusalOf(error: unknown): { readonly value: number; readonly name: string } | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { response, statusCode } = error as {
    readonly response?: { readonly responseHeader?: { readonly serviceResult?: { value: number; name: string } } };
    readonly statusCode?: { readonly value: number; readonly name: string };
  };
  return response?.responseHeader?.serviceResult ?? statusCode;
}
