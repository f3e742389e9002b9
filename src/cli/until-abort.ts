/** Resolves when the signal aborts; rejects when what runs failed before. */
export async function untilAbort(running: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let leave = () => {};
  const aborted = new Promise<void>((resolve) => {
    leave = resolve;
    signal.addEventListener("abort", leave, { once: true });
  });
  try {
    await Promise.race([aborted, running]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
