import { Fault } from "#std/fault";
import { isAbort } from "#std/scope";
import { remark, type World } from "./world.ts";

/** What the shell learns. */
export const exitCodes = { ok: 0, fault: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

/** Tells what went wrong on standard error, in two lines or as JSON, and returns the exit code. */
export function fail(error: unknown, { asJson }: { readonly asJson: boolean }, world: World): number {
  if (isAbort(error, world.signal)) return exitCodes.interrupted;
  const { code, message, hint } = describe(error);
  if (asJson) remark(world, JSON.stringify({ error: { code, message, hint, ...problemsOf(error) } }));
  else {
    remark(world, `edgeadm: ${message}`);
    remark(world, `hint: ${hint}`);
  }
  return exitCodeOf(error);
}

/** Whether the arguments ask for JSON: looked for in the raw ones, so that a mistake in the others is told so too. */
export function wantsJson(args: readonly string[]): boolean {
  return args.some(
    (arg, i) =>
      arg === "-ojson" || arg === "--output=json" || (arg === "json" && /^(-o|--output)$/.test(args[i - 1] ?? "")),
  );
}

function describe(error: unknown): { readonly code: string; readonly message: string; readonly hint: string } {
  if (Fault.is(error)) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: "BUG", message, hint: "This is a bug. Please report it with the lines above." };
}

/** What is wrong in detail, where a fault lists it. */
function problemsOf(error: unknown): { readonly problems?: unknown } {
  return Fault.is(error) && Array.isArray(error.detail.problems) ? { problems: error.detail.problems } : {};
}

function exitCodeOf(error: unknown): number {
  if (Fault.is(error, "USAGE_INVALID")) return exitCodes.usage;
  if (Fault.is(error, "CLUSTER_UNREACHABLE", "SITE_UNREACHABLE")) return exitCodes.unreachable;
  return exitCodes.fault;
}
