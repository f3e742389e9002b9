/** One row of a list: its cells by the names of their columns, and what is wrong with it. */
import type { Problem, Schema } from "#std/schema";
import { type Manner, parseNumber, parsePairs, recordOf } from "./cells.ts";
import { fieldsOf, type Subject, subjectsOf } from "./columns.ts";
import type { SheetRow } from "./sheet.ts";
import type { Part } from "./tagged.ts";

/** What is wrong with a list, where: lines count from 1, which is the head as a rule. */
export interface RowProblem {
  readonly line: number;
  /** Undefined when it is about the whole row. */
  readonly column?: string;
  readonly message: string;
}

export class Row {
  readonly line: number;
  readonly problems: RowProblem[] = [];
  readonly #cells: ReadonlyMap<string, string>;
  readonly #manner: Manner;

  constructor(head: readonly string[], { line, cells, refused }: SheetRow, manner: Manner) {
    this.line = line;
    this.#cells = new Map(head.map((name, i) => [name, (cells[i] ?? "").trim()]));
    this.#manner = manner;
    if (cells.length > head.length) this.say(undefined, `has ${cells.length} cells, the head ${head.length}`);
    for (const [i, why] of refused ?? []) this.say(head[i], why);
    for (const [column, cell] of this.#cells) {
      const subjects = subjectsOf(column) ?? [];
      if (cell !== "" && !subjects.some((subject) => this.is(subject)))
        this.say(column, `belongs to a ${subjects.join(" or ")}, which this row does not name`);
    }
    if (this.cell("property") !== "" && this.cell("command") !== "") this.say("command", "a row has one or a property");
    if (this.cell("model") === "") this.say("model", "must not be empty");
    if (this.declares && this.cell("type") === "") this.say("type", "must not be empty");
  }

  /** Text of a cell; empty when the list has no such column. */
  cell(name: string): string {
    return this.#cells.get(name) ?? "";
  }

  /** Whether the row is about such a thing. A row about nothing else is about the model. */
  is(subject: Subject): boolean {
    if (subject !== "model") return this.cell(subject) !== "";
    return (
      this.cell("property") === "" &&
      this.cell("command") === "" &&
      (this.cell("device") === "" || this.cell("protocol") !== "")
    );
  }

  /** Whether its property belongs to the model; else it is about the address that a device has for it. */
  get declares(): boolean {
    return this.is("property") && fieldsOf("property").some(({ name }) => this.cell(name) !== "");
  }

  say(column: string | undefined, message: string): void {
    this.problems.push({ line: this.line, ...(column === undefined ? {} : { column }), message });
  }

  /** Says what a schema found: below a column such as `link`, or with the names of columns as they are. */
  tell(below: string, found: readonly Problem[]): void {
    for (const { path, message } of found)
      this.say([below, path].filter((part) => part !== "").join(".") || undefined, message);
  }

  /** The columns below a name as a record. */
  record(name: string, schema: Schema<unknown> | undefined): Record<string, unknown> {
    return recordOf(this.#cells, name, schema, this.#manner);
  }

  /** The property of the row, as its model has it. */
  property(address: Schema<unknown>): Part {
    const plain = this.#plain("property");
    const report = plain.filter(([name]) => name.startsWith(REPORT));
    return {
      name: this.cell("property"),
      ...Object.fromEntries(plain.filter(([name]) => !name.startsWith(REPORT))),
      ...(report.length === 0
        ? {}
        : { report: Object.fromEntries(report.map(([name, value]) => [name.slice(REPORT.length), value])) }),
      address: this.record("address", address),
    };
  }

  /** The command of the row, as its model has it. */
  command(address: Schema<unknown> | undefined): Part {
    const { writes: pairs, ...plain } = Object.fromEntries(this.#plain("command"));
    const writes = pairs === undefined ? undefined : parsePairs(String(pairs), this.#manner);
    if (pairs !== undefined && !writes) this.say("writes", "takes PROPERTY=VALUE, several of them with ; between them");
    const where = this.record("address", address);
    return {
      name: this.cell("command"),
      ...plain,
      ...(writes ? { writes } : {}),
      ...(Object.keys(where).length > 0 ? { address: where } : {}),
    };
  }

  #plain(subject: "property" | "command"): readonly (readonly [name: string, value: unknown])[] {
    return fieldsOf(subject).flatMap(({ name, kind }) => {
      const cell = this.cell(name);
      if (cell === "") return [];
      return [[name, kind === "text" ? cell : parseNumber(cell, this.#manner)] as const];
    });
  }
}

const REPORT = "report.";
