-- Artifacts: what tells how hard requests are. `digest` is the SHA-256 that the file ends with, `content` the file in base64. As before:
-- TEXT and BIGINT only.
CREATE TABLE artifact (
  digest   TEXT PRIMARY KEY,
  name     TEXT NOT NULL,
  metadata TEXT NOT NULL,
  source   TEXT NOT NULL,
  bytes    BIGINT NOT NULL,
  added_ms BIGINT NOT NULL,
  added_by TEXT NOT NULL,
  content  TEXT NOT NULL
);
-- The one row that says which of them is in use, empty for none, and as of which change. `source` had `offered` when it was heard last;
-- what it has that cannot be used is `refused`, and why.
CREATE TABLE artifact_use (
  only_one   BIGINT PRIMARY KEY,
  revision   BIGINT NOT NULL,
  digest     TEXT NOT NULL,
  since_ms   BIGINT NOT NULL,
  used_by    TEXT NOT NULL,
  source     TEXT NOT NULL,
  offered    TEXT NOT NULL,
  refused    TEXT NOT NULL,
  refused_ms BIGINT NOT NULL
);
INSERT INTO artifact_use (only_one, revision, digest, since_ms, used_by, source, offered, refused, refused_ms)
VALUES (1, 0, '', 0, '', '', '', '', 0);
