-- The tree of who pays: tenants, departments, teams, users. `id` is the path from the tenant, with dots between; `document` is
-- the account's Terms. As before: TEXT and BIGINT only.
CREATE TABLE account (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  document   TEXT NOT NULL,
  revision   BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  changed_by TEXT NOT NULL
);

-- The secrets of keys, kept as keys were: two of one key while a rotation lasts. `hint` is how it begins, for people.
CREATE TABLE caller_secret (
  tag        TEXT PRIMARY KEY,
  caller     TEXT NOT NULL,
  sealed     TEXT NOT NULL,
  hint       TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT,
  revoked_ms BIGINT
);
INSERT INTO caller_secret (tag, caller, sealed, hint, created_ms, revoked_ms)
  SELECT tag, id, sealed, '', created_ms, revoked_ms FROM caller_key;
CREATE INDEX caller_secret_caller ON caller_secret (caller);

-- Keys: whose they are and their Terms. What was a Grant's list of routes is the same member of Terms.
CREATE TABLE caller (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  account    TEXT NOT NULL,
  document   TEXT NOT NULL,
  revision   BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT,
  revoked_ms BIGINT
);
INSERT INTO caller (id, name, account, document, revision, created_ms, revoked_ms)
  SELECT id, name, '', COALESCE(REPLACE(routes, '"caller":"",', ''), '{}'), 0, created_ms, revoked_ms FROM caller_key;
CREATE INDEX caller_account ON caller (account, id);
DROP TABLE caller_key;

-- What was spent of a budget in one window. `spent` of money is in micro-dollars, `spent_rest` in pico-dollars below one of
-- these; `leased` is lent to data planes and not yet spent, `reserved` is held for exchanges under way, `told` is the highest
-- threshold (in percent) that somebody was told of.
CREATE TABLE budget_window (
  holder     TEXT NOT NULL,
  unit       TEXT NOT NULL,
  period     TEXT NOT NULL,
  began_ms   BIGINT NOT NULL,
  spent      BIGINT NOT NULL,
  spent_rest BIGINT NOT NULL,
  leased     BIGINT NOT NULL,
  reserved   BIGINT NOT NULL,
  told       BIGINT NOT NULL,
  PRIMARY KEY (holder, unit, period, began_ms)
);

-- What one data plane was lent of a window, over all, and how much of that is spent. `ended_ms` when the rest was taken back.
CREATE TABLE lease (
  vm         TEXT NOT NULL,
  holder     TEXT NOT NULL,
  unit       TEXT NOT NULL,
  period     TEXT NOT NULL,
  began_ms   BIGINT NOT NULL,
  lent       BIGINT NOT NULL,
  used       BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  ended_ms   BIGINT,
  PRIMARY KEY (vm, holder, unit, period, began_ms)
);
CREATE INDEX lease_expires ON lease (ended_ms, expires_ms);

-- What is held of strict budgets for an exchange until its Record comes. `document` says how much of which.
CREATE TABLE reservation (
  exchange   TEXT PRIMARY KEY,
  vm         TEXT NOT NULL,
  caller     TEXT NOT NULL,
  account    TEXT NOT NULL,
  made_ms    BIGINT NOT NULL,
  document   TEXT NOT NULL
);
CREATE INDEX reservation_vm ON reservation (vm);

-- When a data plane was last seen by any control plane.
CREATE TABLE data_plane (
  vm      TEXT PRIMARY KEY,
  seen_ms BIGINT NOT NULL
);

-- Somebody is to be told that so much of a budget is spent; once for each window and share.
CREATE TABLE budget_notice (
  holder   TEXT NOT NULL,
  unit     TEXT NOT NULL,
  period   TEXT NOT NULL,
  began_ms BIGINT NOT NULL,
  percent  BIGINT NOT NULL,
  spent    BIGINT NOT NULL,
  most     BIGINT NOT NULL,
  made_ms  BIGINT NOT NULL,
  told_ms  BIGINT,
  PRIMARY KEY (holder, unit, period, began_ms, percent)
);

-- Who pays for an exchange, and how it stands in the ledger; what it cost below a micro-dollar, in pico-dollars.
ALTER TABLE record ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE record ADD COLUMN state TEXT NOT NULL DEFAULT 'settled';
ALTER TABLE record ADD COLUMN cost_rest BIGINT NOT NULL DEFAULT 0;
CREATE INDEX record_account ON record (account, began_ms, exchange);
