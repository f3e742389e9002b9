import { unpack } from "#wire/pack";

/** A body as it stands in the database. */
export interface StoredBody {
  readonly at: number;
  readonly body: string;
  /** Id and names (JSON) of its layout, when it is packed. */
  readonly layout: string | null;
  readonly names: string | null;
}

/** The message in a row; the text itself when it is none: what one node wrote must not stop those who read of others. */
export function parseBody({ at, body, layout, names }: StoredBody): unknown {
  try {
    if (layout !== null && names !== null) return unpack({ id: layout, names: namesOf(names) }, at, body);
    return JSON.parse(body);
  } catch {
    return body;
  }
}

let known: { readonly text: string; readonly names: string[] } | undefined;

/** Rows of one layout come one after the other, so the names are read once for all of them. */
function namesOf(text: string): string[] {
  if (known?.text !== text) known = { text, names: JSON.parse(text) as string[] };
  return known.names;
}
