import type { Clock } from "#std/clock";
import type { CloudMessage } from "#wire/messages";
import type { NodeState } from "./status.ts";

/** What the controller needs of a node's connection. */
export interface Speaker {
  /** Waits until the node has taken most of what was sent before. */
  room(signal: AbortSignal): Promise<void>;
  /** False when the connection is gone. */
  send(message: CloudMessage): boolean;
}

/** Connections come and go; a node that is back within this time was never away. */
const AWAY_MS = 40_000;

/** Which nodes are here, and for how long the others have not been. */
export class Presence {
  readonly #isKnown: (node: string) => boolean;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #speakers = new Map<string, Speaker>();
  readonly #leftAt = new Map<string, number>();
  readonly #seen = new Map<string, NodeState>();

  /** @param isKnown - whether a node of this name ever joined or connected. */
  constructor(isKnown: (node: string) => boolean, clock: Clock) {
    this.#isKnown = isKnown;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
  }

  connect(node: string, speaker: Speaker): void {
    this.#speakers.set(node, speaker);
    this.#leftAt.delete(node);
  }

  leave(node: string): void {
    this.#speakers.delete(node);
    this.#leftAt.set(node, this.#clock.monotonic());
  }

  /** The present connection of a node. */
  speaker(node: string): Speaker | undefined {
    return this.#speakers.get(node);
  }

  stateOf(node: string): NodeState {
    if (this.#speakers.has(node)) return "connected";
    if (!this.#isKnown(node)) return "unknown";
    // After a restart of the cloud every node has as much time to come back as it needs anyway.
    const leftAt = this.#leftAt.get(node) ?? this.#startedAt;
    return this.#clock.monotonic() - leftAt < AWAY_MS ? "brief" : "away";
  }

  /** Whether a node's state is another than the last time it was looked at. */
  hasTurned(node: string): boolean {
    const state = this.stateOf(node);
    if (this.#seen.get(node) === state) return false;
    this.#seen.set(node, state);
    return true;
  }
}
