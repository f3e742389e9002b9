import type { Exchange } from "#devices/driver";
import { hexOf, parseExchanges } from "#devices/recording";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { readTextFile } from "#std/text-file";
import type { Line } from "./line.ts";

/** What a device says by itself comes so long after the last, when the recording has it once only. */
const AGAIN_MS = 1_000;

/** Opens a recording as a line. @throws {Fault} `LINK_LOST` when the file is not there, `CONFIG_INVALID`. */
export async function openReplay(file: string, clock: Clock, signal: AbortSignal): Promise<Line> {
  return replay(parseExchanges(await readTextFile(file, signal)), file, clock);
}

/**
 * A line with the devices of a recording: each request is answered as it was then, the second time as it was the second
 * time. What came by itself comes by itself, in the same rhythm, over and over. What was never sent then has no answer.
 */
export function replay(exchanges: readonly Exchange[], name: string, clock: Clock): Line {
  const answers = new Map<string, { readonly all: readonly (Buffer | undefined)[]; next: number }>();
  const asked = exchanges.filter(({ request }) => request !== undefined);
  for (const [request, all] of Map.groupBy(asked, ({ request }) =>
    request instanceof Uint8Array ? hexOf(request) : "",
  ))
    answers.set(request, { all: all.map(({ answer }) => bytesOf(answer)), next: 0 });
  const told = exchanges.filter(({ request }) => request === undefined);
  const end = new AbortController();
  let take = (_chunk: Buffer) => {};
  let tell = (_fault: Fault) => {};
  let gone: Fault | undefined;

  return {
    name,
    gapMs: 0,
    isRemote: false,
    send(bytes) {
      if (gone) throw gone;
      const entry = answers.get(hexOf(bytes));
      const answer = entry?.all[entry.next++ % entry.all.length];
      if (answer && answer.length > 0) setImmediate(() => gone ?? take(answer));
    },
    listen(listener, lost) {
      [take, tell] = [listener, lost];
      if (told.length > 0) void play();
    },
    lose,
    async [Symbol.asyncDispose]() {
      lose("was closed here");
    },
  };

  /** Says what was said by itself until the line is closed. */
  async function play(): Promise<void> {
    const times = told.map(({ at }) => at);
    const [first = 0, last = 0] = [times[0], times.at(-1)];
    const pauseMs = told.length > 1 ? (last - first) / (told.length - 1) : AGAIN_MS;
    for (let i = 0; !end.signal.aborted; i = (i + 1) % told.length) {
      const waitMs = i === 0 ? pauseMs : (times[i] ?? 0) - (times[i - 1] ?? 0);
      await clock.sleep(Math.max(1, waitMs), end.signal).catch(() => undefined);
      const bytes = bytesOf(told[i]?.answer);
      if (bytes && !gone) take(bytes);
    }
  }

  function lose(how: string): Fault {
    if (gone) return gone;
    gone = new Fault("LINK_LOST", `${name} ${how}`);
    end.abort();
    tell(gone);
    return gone;
  }
}

function bytesOf(content: Exchange["answer"]): Buffer | undefined {
  return content instanceof Uint8Array ? Buffer.from(content) : undefined;
}
