-- Whose own token is not sent to which provider for a while, since the provider said that it came too often. `bearer` names the token
-- and tells nothing of it; `caller` and `account` are whose it is. As before: TEXT and BIGINT only.
CREATE TABLE cool_down (
  provider TEXT NOT NULL,
  bearer   TEXT NOT NULL,
  caller   TEXT NOT NULL,
  account  TEXT NOT NULL,
  until_ms BIGINT NOT NULL,
  made_ms  BIGINT NOT NULL,
  PRIMARY KEY (provider, bearer)
);
CREATE INDEX cool_down_until ON cool_down (until_ms);
