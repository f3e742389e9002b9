/** A driver for a counter. It gets schemas and faults from the program, so that it needs no packages of its own. */
export function driver({ z, Fault }) {
  return {
    protocol: "counter",
    link: z
      .strictObject({ name: z.string().default("counter"), timeoutMs: z.int().min(1).default(1000) })
      .describe("Links that are equal share one connection."),
    station: z.strictObject({ step: z.int().default(1).describe("What each reading adds.") }),
    address: z.strictObject({ start: z.int().default(0).describe("Where the counter begins.") }),

    async connect(_link, signal) {
      signal.throwIfAborted();
      const counts = new Map();
      let isClosed = false;
      const mustBeOpen = (signal) => {
        signal.throwIfAborted();
        if (isClosed) throw new Fault("LINK_LOST", "the counter was closed here");
      };
      return {
        async read({ step }, points, signal) {
          mustBeOpen(signal);
          return points.map(({ property, address }) => {
            const raw = (counts.get(property) ?? address.start - step) + step;
            counts.set(property, raw);
            return { ok: true, raw, at: Date.now() };
          });
        },
        async write({ step }, { property }, raw, signal) {
          mustBeOpen(signal);
          if (!Number.isInteger(raw)) throw new Fault("VALUE_INVALID", `${property} can not be ${raw}: it counts`);
          counts.set(property, raw - step);
        },
        async [Symbol.asyncDispose]() {
          isClosed = true;
        },
      };
    },
  };
}
