-- Whose accounts a tenant-admin works on; empty for the other roles. As before: TEXT and BIGINT only.
ALTER TABLE admin_token ADD COLUMN account TEXT NOT NULL DEFAULT '';

-- What reports are made of, so that no document is read for them. `tenant` is the first word of `account`; the sum of what is
-- known of a cost is there also where a part of it is not, and the whole is therefore null.
ALTER TABLE record ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE record ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE record ADD COLUMN known_micros BIGINT NOT NULL DEFAULT 0;
ALTER TABLE record ADD COLUMN known_rest BIGINT NOT NULL DEFAULT 0;
ALTER TABLE record ADD COLUMN input_tokens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE record ADD COLUMN output_tokens BIGINT NOT NULL DEFAULT 0;
UPDATE record SET known_micros = COALESCE(cost_micros, 0), known_rest = cost_rest;
CREATE INDEX record_tenant ON record (tenant, began_ms, exchange);

-- One row for each attempt: each is a line of some provider's bill. A cost that nobody knows is null.
CREATE TABLE record_attempt (
  exchange      TEXT NOT NULL,
  number        BIGINT NOT NULL,
  provider      TEXT NOT NULL,
  model         TEXT NOT NULL,
  ending        TEXT NOT NULL,
  cost_micros   BIGINT,
  cost_rest     BIGINT NOT NULL,
  input_tokens  BIGINT NOT NULL,
  output_tokens BIGINT NOT NULL,
  PRIMARY KEY (exchange, number)
);

-- How often somebody tried to tell of a notice, and when it is tried again.
ALTER TABLE budget_notice ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE budget_notice ADD COLUMN next_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX budget_notice_next ON budget_notice (told_ms, next_ms);

-- What the webhooks of an account are signed with, under a pad made of the pepper and the nonce.
CREATE TABLE webhook_secret (
  account TEXT PRIMARY KEY,
  nonce   TEXT NOT NULL,
  sealed  TEXT NOT NULL
);
