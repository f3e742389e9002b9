import { Fault } from "./fault.ts";
import type { Log } from "./log.ts";

/** Whether the disk is to blame. Who gets one need not log it: the database does, once. */
export function isDiskFault(error: unknown): error is Fault {
  return Fault.is(error, "DISK_FULL", "DISK_FAILED", "DATABASE_CORRUPT");
}

/** By its form, not its class: the native module makes its errors in the realm that loaded it first. */
export function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** What the library or the system said of the disk as a fault; anything else as it is. */
export function diskFault(error: unknown): unknown {
  const code = codeOf(error);
  if (/^(SQLITE_FULL|ENOSPC|EDQUOT)/.test(code))
    return new Fault("DISK_FULL", "the disk that holds the database is full", { cause: error });
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code))
    return new Fault("DATABASE_CORRUPT", "the database is damaged", { cause: error });
  if (/^(SQLITE_(IOERR|READONLY|CANTOPEN)|EIO|EROFS)/.test(code))
    return new Fault("DISK_FAILED", `the disk that holds the database failed: ${code}`, { cause: error });
  return error;
}

/** Knows whether the disk works, and says so when that changes. */
export class DiskWatch {
  readonly #log: Log;
  readonly #damaged: () => void;
  #trouble: Fault | undefined;

  /** @param damaged - called once, when the database proves to be damaged. */
  constructor(log: Log, damaged: () => void) {
    this.#log = log;
    this.#damaged = damaged;
  }

  /** Why the last commit did not go through; undefined while they do. Damage does not heal. */
  get trouble(): Fault | undefined {
    return this.#trouble;
  }

  /** A commit is on disk. */
  took(): void {
    if (!this.#trouble || this.#trouble.code === "DATABASE_CORRUPT") return;
    this.#log.warn("the disk takes commits again");
    this.#trouble = undefined;
  }

  /** Something did not work; returns what to throw. Other errors than those of the disk say nothing about it. */
  refused(error: unknown): unknown {
    const fault = diskFault(error);
    if (!isDiskFault(fault) || this.#trouble?.code === "DATABASE_CORRUPT") return fault;
    if (fault.code !== this.#trouble?.code) this.#log.error("the disk takes nothing", { error: fault });
    this.#trouble = fault;
    if (fault.code === "DATABASE_CORRUPT") this.#damaged();
    return fault;
  }
}
