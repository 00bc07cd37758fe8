-- Plain SQL that SQLite and PostgreSQL read alike: TEXT and BIGINT only, digests in hexadecimal.

-- Keys of callers. `tag` is HMAC-SHA-256(pepper, SHA-256(key)): who has the table has no key, and can't check one either.
-- `sealed` is SHA-256(key) under a pad made of the pepper: a revocation has to name the digest to the data plane.
CREATE TABLE caller_key (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  tag        TEXT NOT NULL UNIQUE,
  sealed     TEXT NOT NULL,
  routes     TEXT,
  created_ms BIGINT NOT NULL,
  revoked_ms BIGINT
);

-- One row for each exchange; `document` is the Record as it came, the columns are what it is looked up by.
CREATE TABLE record (
  exchange   TEXT PRIMARY KEY,
  caller     TEXT NOT NULL,
  route      TEXT NOT NULL,
  status     BIGINT NOT NULL,
  began_ms   BIGINT NOT NULL,
  settled_ms BIGINT NOT NULL,
  document   TEXT NOT NULL
);

CREATE INDEX record_began ON record (began_ms);

-- The last Snapshot that was published: versions rise over restarts, and an unchanged one keeps its version.
CREATE TABLE snapshot_version (
  version BIGINT PRIMARY KEY,
  digest  TEXT NOT NULL,
  made_ms BIGINT NOT NULL
);
