import { isLoopback } from "./config.ts";

export interface AdmissionLimits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly connectsPerSecond: number;
}

interface Caller {
  open: number;
  /** Connects that may still come now; refilled with time. */
  tokens: number;
  at: number;
}

/** Addresses that are remembered although nothing of them is open. */
const MOST_ADDRESSES = 10_000;

/** Counts connections per address and says which may come in. Loopback has only the total: its clients share an address. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #callers = new Map<string, Caller>();
  #open = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Takes a connection in, or says why not. What was taken in must leave. */
  enter(address: string, nowMs: number): "total" | "per address" | "rate" | undefined {
    const { connections, connectionsPerAddress, connectsPerSecond } = this.#limits;
    if (this.#open >= connections) return "total";
    if (!isLoopback(address)) {
      const caller = this.#caller(address, nowMs);
      caller.tokens = Math.min(connectsPerSecond, caller.tokens + ((nowMs - caller.at) / 1000) * connectsPerSecond);
      caller.at = nowMs;
      if (caller.tokens < 1) return "rate";
      if (caller.open >= connectionsPerAddress) return "per address";
      caller.tokens--;
      caller.open++;
    }
    this.#open++;
    return undefined;
  }

  leave(address: string): void {
    this.#open--;
    const caller = this.#callers.get(address);
    if (caller) caller.open--;
  }

  #caller(address: string, nowMs: number): Caller {
    const known = this.#callers.get(address);
    if (known) return known;
    if (this.#callers.size >= MOST_ADDRESSES)
      for (const [other, { open }] of this.#callers) if (open === 0) this.#callers.delete(other);
    const caller = { open: 0, tokens: this.#limits.connectsPerSecond, at: nowMs };
    this.#callers.set(address, caller);
    return caller;
  }
}
