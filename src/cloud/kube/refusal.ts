import { Fault } from "#std/fault";
import { isAbort } from "#std/scope";

/** Why a cluster said no. **Source:** Kubernetes API, `meta/v1` StatusReason. */
export type Refusal = "NotFound" | "AlreadyExists" | "Conflict" | "Gone" | "Expired" | "Forbidden" | "Invalid";

/** True when a cluster refused for one of these reasons. */
export function isRefused(error: unknown, ...reasons: readonly Refusal[]): boolean {
  return Fault.is(error, "CLUSTER_REFUSED") && reasons.some((reason) => reason === error.detail.reason);
}

/** What a connection threw, as a fault; the signal's own reason when it was the signal. */
export function unreachable(what: string, cause: unknown, signal: AbortSignal): unknown {
  if (isAbort(cause, signal)) return signal.reason;
  if (Fault.is(cause)) return cause;
  return new Fault("CLUSTER_UNREACHABLE", `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  });
}

/** A Status as a fault: overload and inner trouble of the server may pass, the rest will not by itself. */
export function refusal(what: string, status: number, text: string): Fault {
  const { reason, message } = statusOf(text);
  const code = status === 429 || status >= 500 ? "CLUSTER_UNREACHABLE" : "CLUSTER_REFUSED";
  return new Fault(code, `${what}: ${message || `status ${status}`}`, { status, reason: reason ?? byStatus[status] });
}

function statusOf(text: string): { readonly reason?: string; readonly message: string } {
  try {
    const { reason, message } = JSON.parse(text) as { reason?: unknown; message?: unknown };
    return { message: String(message ?? ""), ...(typeof reason === "string" && reason ? { reason } : {}) };
  } catch {
    return { message: text.slice(0, 200) };
  }
}

const byStatus: Readonly<Record<number, Refusal>> = { 403: "Forbidden", 404: "NotFound", 410: "Gone", 422: "Invalid" };
