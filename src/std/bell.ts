/** Wakes one waiting task. Rings that nobody waits for are remembered once: a level, not a count. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Whether it rang since the last time, without waiting. */
  take(): boolean {
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }

  /** Resolves at the next ring, at once when it rang before, or after `ms`. True when it rang. Rejects on abort. */
  async wait(signal: AbortSignal, ms?: number): Promise<boolean> {
    signal.throwIfAborted();
    if (!this.#rung) {
      await new Promise<void>((resolve, reject) => {
        const timer = ms === undefined ? undefined : setTimeout(done, Math.max(0, ms));
        const abort = () => done(signal.reason);
        const wake = () => done();
        function done(reason?: unknown) {
          clearTimeout(timer);
          signal.removeEventListener("abort", abort);
          if (reason === undefined) resolve();
          else reject(reason);
        }
        signal.addEventListener("abort", abort, { once: true });
        this.#wake = wake;
      });
      this.#wake = undefined;
    }
    return this.take();
  }
}
