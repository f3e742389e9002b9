/** The tables of the registry, oldest script first. Scripts that were released are never changed. */
export const migrations: readonly string[] = [
  `
  -- What happened, in order: the row id is the resourceVersion. AUTOINCREMENT never gives an id twice.
  CREATE TABLE log (
    rv INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    ns TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    doc TEXT NOT NULL,
    -- The object before, where a selector could tell the two apart: it may have left a watcher's selection.
    prev TEXT
  );
  CREATE INDEX log_key ON log (key, rv);
  -- What is now. A table beside the log, because "the last row per name" gets slow as the log grows.
  CREATE TABLE obj (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    ns TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    rv INTEGER NOT NULL,
    at INTEGER NOT NULL,
    doc TEXT NOT NULL
  );
  CREATE UNIQUE INDEX obj_name ON obj (key, ns, name);
  CREATE UNIQUE INDEX obj_uid ON obj (uid);
  CREATE INDEX obj_ns ON obj (ns);
  -- Who lives for whom.
  CREATE TABLE owner (
    uid TEXT NOT NULL,
    id INTEGER NOT NULL REFERENCES obj (id) ON DELETE CASCADE,
    PRIMARY KEY (uid, id)
  ) WITHOUT ROWID;
  CREATE INDEX owner_id ON owner (id);
  -- Ranges of versions that never were: a client that names one comes from another life of this file.
  CREATE TABLE gap (after INTEGER PRIMARY KEY, until INTEGER NOT NULL);
  CREATE TABLE fact (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO fact VALUES ('compacted', 0);
  `,
];
