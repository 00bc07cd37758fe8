-- The vault: secrets of accounts, sealed. As before: TEXT and BIGINT only.

-- One secret. `sealed` is the secret under a key of its own, `wrapped` that key under the vault's key `key_id`, which is not here;
-- both are bound to purpose, account, provider, id and version. `hint` is its last four characters, for people.
CREATE TABLE vault_entry (
  id         TEXT PRIMARY KEY,
  purpose    TEXT NOT NULL,
  account    TEXT NOT NULL,
  provider   TEXT NOT NULL,
  version    BIGINT NOT NULL,
  sealed     TEXT NOT NULL,
  wrapped    TEXT NOT NULL,
  key_id     TEXT NOT NULL,
  hint       TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  changed_by TEXT NOT NULL,
  UNIQUE (purpose, account, provider)
);

-- What the last version of each of a tenant's rows is, under a code that only the vault's key makes.
CREATE TABLE vault_manifest (
  tenant TEXT PRIMARY KEY,
  marks  TEXT NOT NULL,
  key_id TEXT NOT NULL,
  tag    TEXT NOT NULL
);

-- Shows whether this control plane has the keys that the rows here were made with.
CREATE TABLE vault_check (
  key_id TEXT PRIMARY KEY,
  proof  TEXT NOT NULL
);

-- Changes of one kind, the last ones: data planes are told which credentials changed.
CREATE INDEX audit_kind ON audit (kind, revision);
