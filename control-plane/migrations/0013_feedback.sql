-- What is said of exchanges: one word of each actor, the later one holds. `score` is in thousandths; `label` is a word; neither may say
-- nothing together. No word of a prompt or of an answer. `account` is that of the exchange. As before: TEXT and BIGINT only.
CREATE TABLE feedback (
  exchange TEXT NOT NULL,
  actor    TEXT NOT NULL,
  account  TEXT NOT NULL,
  score    BIGINT,
  label    TEXT NOT NULL DEFAULT '',
  made_ms  BIGINT NOT NULL,
  PRIMARY KEY (exchange, actor)
);
CREATE INDEX feedback_made ON feedback (made_ms, exchange, actor);
