-- How providers and targets do, as all control planes see it. `subject` is a provider, `provider/model`, or that with `@account`; a
-- moment is in milliseconds since 1970, and 0 when there is none. `force` is an operator's word alone. `ends_ms` is when a row says
-- nothing any more, unless something is forced. As before: TEXT and BIGINT only.
CREATE TABLE health (
  subject       TEXT PRIMARY KEY,
  revision      BIGINT NOT NULL,
  since_ms      BIGINT NOT NULL,
  open_until_ms BIGINT NOT NULL DEFAULT 0,
  rest_until_ms BIGINT NOT NULL DEFAULT 0,
  why           TEXT NOT NULL DEFAULT '',
  banned        BIGINT NOT NULL DEFAULT 0,
  force         TEXT NOT NULL DEFAULT '',
  is_over       BIGINT NOT NULL DEFAULT 0,
  ends_ms       BIGINT NOT NULL
);
CREATE INDEX health_revision ON health (revision);
-- What became of attempts, by the minute in which they ended; `model` is empty for a provider's sums. The last columns say how many
-- first events came within which time.
CREATE TABLE health_minute (
  provider  TEXT NOT NULL,
  model     TEXT NOT NULL,
  began_ms  BIGINT NOT NULL,
  attempts  BIGINT NOT NULL,
  answered  BIGINT NOT NULL,
  failed    BIGINT NOT NULL,
  throttled BIGINT NOT NULL,
  fallbacks BIGINT NOT NULL,
  first_0   BIGINT NOT NULL,
  first_1   BIGINT NOT NULL,
  first_2   BIGINT NOT NULL,
  first_3   BIGINT NOT NULL,
  first_4   BIGINT NOT NULL,
  first_5   BIGINT NOT NULL,
  first_6   BIGINT NOT NULL,
  first_7   BIGINT NOT NULL,
  first_8   BIGINT NOT NULL,
  first_9   BIGINT NOT NULL,
  first_10  BIGINT NOT NULL,
  first_11  BIGINT NOT NULL,
  first_12  BIGINT NOT NULL,
  first_13  BIGINT NOT NULL,
  first_14  BIGINT NOT NULL,
  first_15  BIGINT NOT NULL,
  first_16  BIGINT NOT NULL,
  PRIMARY KEY (provider, model, began_ms)
);
CREATE INDEX health_minute_began ON health_minute (began_ms);
-- What is told of each provider, and since when.
CREATE TABLE health_status (
  provider TEXT PRIMARY KEY,
  status   TEXT NOT NULL,
  since_ms BIGINT NOT NULL
);
-- Changes of that on their way to an operator's webhook.
CREATE TABLE health_notice (
  id       TEXT PRIMARY KEY,
  document TEXT NOT NULL,
  made_ms  BIGINT NOT NULL,
  tries    BIGINT NOT NULL DEFAULT 0,
  next_ms  BIGINT NOT NULL DEFAULT 0,
  told_ms  BIGINT
);
