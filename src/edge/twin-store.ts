import type { Identity } from "#devices/status";
import type { PropertyTwin } from "#devices/twin";
import type { Database } from "#std/sqlite";
import type { DeviceTwin } from "./device-twin.ts";

/** What is known of a device, by the names of its properties. */
export interface Known {
  readonly lastSeen: number | undefined;
  /** What it said of itself last. */
  readonly identity: Identity | undefined;
  readonly properties: ReadonlyMap<string, PropertyTwin>;
}

interface Saved {
  readonly lastSeen?: number;
  readonly identity?: Identity;
  readonly properties?: Readonly<Record<string, NonNullable<PropertyTwin["reported"]>>>;
}

/** The twins' rows. Writes belong into the transaction of the caller. */
export class TwinStore {
  readonly #sql;

  constructor(db: Database) {
    this.#sql = {
      meta: db.prepare<[string], { value: string }>("select value from meta where key = ?"),
      setMeta: db.prepare("insert into meta values (?, ?) on conflict do update set value = excluded.value"),
      wishes: db.prepare<[string], { property: string; json: string }>("select property, json from wish where uid = ?"),
      setWish: db.prepare("insert into wish values (?, ?, ?) on conflict do update set json = excluded.json"),
      dropWishes: db.prepare("delete from wish where uid = ?"),
      report: db.prepare<[string], { json: string }>("select json from report where uid = ?"),
      setReport: db.prepare("insert into report values (?, ?) on conflict do update set json = excluded.json"),
      dropReport: db.prepare("delete from report where uid = ?"),
      counter: db.prepare<[string], { seq: number }>("select seq from counter where uid = ?"),
      setCounter: db.prepare("insert into counter values (?, ?) on conflict do update set seq = excluded.seq"),
      dropCounter: db.prepare("delete from counter where uid = ?"),
    };
  }

  /** Number of the site's last wish. */
  get wishes(): number {
    return Number(this.#sql.meta.get("wishes")?.value ?? 0);
  }

  set wishes(version: number) {
    this.#sql.setMeta.run("wishes", String(version));
  }

  /** What was known at the last end. What a device said then is shown, but no longer called good. */
  load(uid: string): Known {
    const properties = new Map<string, PropertyTwin>();
    const report = this.#sql.report.get(uid);
    const { lastSeen, identity, properties: reports = {} } = report ? (JSON.parse(report.json) as Saved) : {};
    for (const [name, reported] of Object.entries(reports)) {
      const doubt = { quality: "uncertain", reason: "not read since the node started" } as const;
      properties.set(name, { reported: reported.quality === "good" ? { ...reported, ...doubt } : reported });
    }
    for (const { property, json } of this.#sql.wishes.all(uid))
      properties.set(property, { ...properties.get(property), ...(JSON.parse(json) as PropertyTwin) });
    return { lastSeen, identity, properties };
  }

  saveWish({ declared }: DeviceTwin, property: string, { desired, heard, conflict }: PropertyTwin): void {
    this.#sql.setWish.run(declared.uid, property, JSON.stringify({ desired, heard, conflict }));
  }

  saveReport({ declared, device, lastSeen, identity, properties }: DeviceTwin): void {
    const reports = device?.properties.flatMap(({ name }, i) => {
      const reported = properties[i]?.reported;
      return reported ? [[name, reported] as const] : [];
    });
    const saved = { lastSeen, identity, properties: Object.fromEntries(reports ?? []) };
    this.#sql.setReport.run(declared.uid, JSON.stringify(saved));
  }

  /** Sequence number of a device's last telemetry that was kept. */
  loadSeq(uid: string): number {
    return this.#sql.counter.get(uid)?.seq ?? 0;
  }

  saveSeq({ declared, seq }: DeviceTwin): void {
    this.#sql.setCounter.run(declared.uid, seq);
  }

  remove(uid: string): void {
    for (const sql of [this.#sql.dropWishes, this.#sql.dropReport, this.#sql.dropCounter]) sql.run(uid);
  }
}
