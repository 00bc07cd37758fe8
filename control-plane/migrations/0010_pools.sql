-- What the targets of each route got, by the minute in which exchanges ended: how many asked it first, attempts of them all, and how many
-- of these were answered. As before: TEXT and BIGINT only.
CREATE TABLE pool_minute (
  route    TEXT NOT NULL,
  target   TEXT NOT NULL,
  began_ms BIGINT NOT NULL,
  first    BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  answered BIGINT NOT NULL,
  PRIMARY KEY (route, target, began_ms)
);
CREATE INDEX pool_minute_began ON pool_minute (began_ms);
