/** A box of counters to try the driver with: `node device.js` listens on port 4711, and counts once a second. */
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const CHANNELS = 4;

/** Opens a box on 127.0.0.1; port 0 takes any free one. */
export async function openBox(port = 0) {
  const counts = new Map();
  const sockets = new Set();
  let ticks = 100;
  let isMute = false;
  const server = createServer((socket) => {
    sockets.add(socket);
    let rest = "";
    socket.setEncoding("utf8").on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) if (!isMute) socket.write(`${answer(line)}\n`);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");

  function answer(line) {
    const [id, verb, unit, channel, value] = line.split(" ");
    if (Number(channel) >= CHANNELS) return `${id} NO there are channels 0 to ${CHANNELS - 1}`;
    if (verb === "READ") return `${id} OK ${channel === "0" ? ticks : (counts.get(`${unit} ${channel}`) ?? 0)}`;
    if (channel === "0") return `${id} NO channel 0 counts by itself`;
    counts.set(`${unit} ${channel}`, Number(value));
    return `${id} OK`;
  }

  return {
    port: server.address().port,
    /** Counts, and tells how far. */
    tick: () => ++ticks,
    mute(silent) {
      isMute = silent;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const box = await openBox(4711);
  console.log("counters at 127.0.0.1:4711, until Ctrl-C");
  setInterval(box.tick, 1_000);
}
