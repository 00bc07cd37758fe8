-- What operators said through the admin API, and what follows from it. As before: TEXT and BIGINT only.

-- Rows, in the words of dragoman.toml as JSON; they stand over those of the file, member by member.
CREATE TABLE setting_row (
  kind       TEXT NOT NULL,
  id         TEXT NOT NULL,
  document   TEXT NOT NULL,
  revision   BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  changed_by TEXT NOT NULL,
  PRIMARY KEY (kind, id)
);

-- Every change: who, what, before, after. `revision` counts all changes, so the greatest one names the state of all rows.
CREATE TABLE audit (
  revision BIGINT PRIMARY KEY,
  at_ms    BIGINT NOT NULL,
  actor    TEXT NOT NULL,
  action   TEXT NOT NULL,
  kind     TEXT NOT NULL,
  id       TEXT NOT NULL,
  before   TEXT,
  after    TEXT
);

-- Tokens of the admin API, kept as callers' keys are.
CREATE TABLE admin_token (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  tag        TEXT NOT NULL UNIQUE,
  role       TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  revoked_ms BIGINT
);

-- Answers to requests that came with an Idempotency-Key, sealed under that key, which is not here. `status` is null while
-- the first of them is being answered.
CREATE TABLE repeated_request (
  tag     TEXT PRIMARY KEY,
  request TEXT NOT NULL,
  made_ms BIGINT NOT NULL,
  status  BIGINT,
  sealed  TEXT
);

-- Models that providers say they have; `vanished_ms` when the last answer no longer named it.
CREATE TABLE discovered_model (
  provider       TEXT NOT NULL,
  model          TEXT NOT NULL,
  context_window BIGINT,
  output_limit   BIGINT,
  abilities      TEXT,
  first_seen_ms  BIGINT NOT NULL,
  vanished_ms    BIGINT,
  PRIMARY KEY (provider, model)
);

-- When each provider was asked, with what came of it.
CREATE TABLE discovery (
  provider  TEXT PRIMARY KEY,
  asked_ms  BIGINT NOT NULL,
  validator TEXT,
  outcome   TEXT NOT NULL
);

-- Every published Snapshot: the document, what Envoy is told beside it, and the revision of the rows it was made of.
DROP TABLE snapshot_version;
CREATE TABLE snapshot_version (
  version  BIGINT PRIMARY KEY,
  digest   TEXT NOT NULL,
  made_ms  BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  document TEXT NOT NULL,
  rejected TEXT
);

-- What the exchange cost in micro-dollars by the price of its day; null when nobody knows.
ALTER TABLE record ADD COLUMN cost_micros BIGINT;
CREATE INDEX record_page ON record (began_ms, exchange);

-- Shows whether this control plane has the pepper that the keys here were made with.
CREATE TABLE pepper_check (
  one   BIGINT PRIMARY KEY,
  proof TEXT NOT NULL
);
