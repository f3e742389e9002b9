import type { Batch } from "../sink.ts";
import type { Published, Stream } from "./client.ts";

/** Rows of one history that were sent and are not noted yet. Its owner is the writer. */
export interface Sent {
  readonly history: string;
  /** The stream's last number from before. */
  readonly from: number;
  /** Those that are not noted. */
  readonly left: Set<number>;
  /** The stream has them. */
  isHere: boolean;
}

/** A connection to a stream, and what of that which was sent over it is noted. */
export class Writer {
  readonly stream: Stream;
  /** When the stream was created. */
  readonly created: string;
  /** Something was sent of which nobody knows whether it is there: the mark stays until the next connection looks. */
  isDoubtful = false;
  /** The greatest number that the stream is known to have given. */
  #last: number;
  /** Each of them holds the mark back. */
  readonly #sent = new Set<Sent>();

  constructor(stream: Stream, created: string, last: number) {
    this.stream = stream;
    this.created = created;
    this.#last = last;
  }

  get ended(): Promise<unknown> {
    return this.stream.ended;
  }

  begin({ node, epoch }: Batch, rows: Batch["rows"]): Sent {
    const left = new Set(rows.map(({ seq }) => seq));
    const sent = { history: historyOf(node, epoch), from: this.#last, left, isHere: false };
    this.#sent.add(sent);
    return sent;
  }

  /** The stream has all of it. */
  arrived(sent: Sent, published: readonly Published[]): void {
    sent.isHere = true;
    this.#last = published.reduce((most, { number }) => Math.max(most, number), this.#last);
  }

  /** What of a history is in the stream and was not noted, because the note failed or is under way. */
  unnoted({ node, epoch }: Batch): readonly number[] {
    const history = historyOf(node, epoch);
    const here = [...this.#sent].filter((sent) => sent.history === history && sent.isHere);
    return here.flatMap(({ left }) => [...left]);
  }

  /** Up to which message all is noted once these numbers of a history are. */
  markAfter({ history }: Sent, seqs: ReadonlySet<number>): number {
    const isDone = (sent: Sent) =>
      sent.history === history && sent.isHere && [...sent.left].every((seq) => seqs.has(seq));
    const others = [...this.#sent].filter((sent) => !isDone(sent));
    return Math.min(this.#last, ...others.map(({ from }) => from));
  }

  /** These numbers of a history are noted. */
  noted({ history }: Sent, seqs: ReadonlySet<number>): void {
    for (const sent of this.#sent) {
      if (sent.history !== history) continue;
      for (const seq of seqs) sent.left.delete(seq);
      // One that is still on its way holds the mark back until it notes itself.
      if (sent.left.size === 0 && sent.isHere) this.#sent.delete(sent);
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.stream[Symbol.asyncDispose]();
  }
}

function historyOf(node: string, epoch: string): string {
  return `${node}\0${epoch}`;
}
