/**
 * A driver for counters that are asked in lines over TCP, as device.js answers them. It gets schemas and faults from the
 * program, so that it needs no packages of its own.
 */
import { once } from "node:events";
import { connect } from "node:net";

const LONGEST_LINE = 200;

export function driver({ z, Fault, duration }) {
  const link = z
    .strictObject({
      host: z.string().min(1).describe("Name or IP address of the box that the counters are in."),
      port: z.int().min(1).max(65535).default(4711).describe("TCP port."),
      timeout: duration(1).prefault("1s").describe("Longest time one visit to a counter may take."),
    })
    .transform(({ timeout, ...rest }) => ({ ...rest, timeoutMs: timeout }))
    .describe("Links that are equal share one connection.");
  const station = z.strictObject({ unit: z.int().min(1).max(99).default(1).describe("Number of the counter in its box.") });
  const address = z.strictObject({
    channel: z.int().min(0).max(99).describe("0 counts by itself and can not be written."),
  });
  return { protocol: "counter", link, station, address, connect: open };

  async function open({ host, port }, signal) {
    signal.throwIfAborted();
    const socket = connect({ host, port }).setEncoding("utf8");
    const lost = (why) => new Fault("LINK_LOST", `${host}:${port}: ${why}`);
    try {
      await once(socket, "connect", { signal });
    } catch (error) {
      socket.destroy();
      signal.throwIfAborted();
      throw lost(error.message);
    }
    let number = 0;
    let rest = "";
    let waiting;
    socket.on("error", () => {});
    socket.on("close", () => waiting?.reject(lost("the connection was closed")));
    socket.on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const [id, said, ...words] = line.split(" ");
        // A late answer has the number of a request that nobody waits for any more.
        if (Number(id) === waiting?.number) waiting.resolve({ isDone: said === "OK", text: words.join(" ") });
      }
      if (rest.length > LONGEST_LINE) socket.destroy();
    });

    /** One request and its answer. Calls never overlap: the caller sees to that. */
    async function ask(words, signal) {
      signal.throwIfAborted();
      if (socket.destroyed) throw lost("the connection was closed");
      waiting = { number: ++number, ...Promise.withResolvers() };
      const stop = () => waiting.reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      try {
        socket.write(`${number} ${words.join(" ")}\n`);
        return await waiting.promise;
      } finally {
        signal.removeEventListener("abort", stop);
        waiting = undefined;
      }
    }

    return {
      async read({ unit }, points, signal) {
        const readings = [];
        for (const { property, address } of points) {
          const { isDone, text } = await ask(["READ", unit, address.channel], signal);
          const [at, raw] = [Date.now(), Number(text)];
          if (!isDone) readings.push({ ok: false, fault: new Fault("DEVICE_REFUSED", `${property}: ${text}`), at });
          else if (text !== "" && Number.isSafeInteger(raw)) readings.push({ ok: true, raw, at });
          else readings.push({ ok: false, fault: new Fault("ANSWER_INVALID", `${property}: "${text}" is no count`), at });
        }
        return readings;
      },
      async write({ unit }, { property, address }, raw, signal) {
        if (!Number.isSafeInteger(raw)) throw new Fault("VALUE_INVALID", `${property} can not be ${raw}: it counts`);
        const { isDone, text } = await ask(["SET", unit, address.channel, raw], signal);
        if (!isDone) throw new Fault("DEVICE_REFUSED", `${property}: ${text}`);
      },
      async [Symbol.asyncDispose]() {
        socket.destroy();
      },
    };
  }
}
