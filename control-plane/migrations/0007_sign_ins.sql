-- People who sign in with a provider, and what came of it. As before: TEXT and BIGINT only; 0 is no moment.

-- One attempt. What the browser was given is kept as a code of it only. `sealed` and `wrapped` are the PKCE verifier or the device
-- code in an envelope of the vault; both are empty once it was used.
CREATE TABLE sign_in (
  id           TEXT PRIMARY KEY,
  provider     TEXT NOT NULL,
  account      TEXT NOT NULL,
  flow         TEXT NOT NULL,
  state        TEXT NOT NULL,
  said         TEXT NOT NULL DEFAULT '',
  state_tag    TEXT NOT NULL DEFAULT '',
  browser_tag  TEXT NOT NULL DEFAULT '',
  sealed       TEXT NOT NULL DEFAULT '',
  wrapped      TEXT NOT NULL DEFAULT '',
  key_id       TEXT NOT NULL DEFAULT '',
  redirect_uri TEXT NOT NULL DEFAULT '',
  interval_ms  BIGINT NOT NULL DEFAULT 0,
  next_ms      BIGINT NOT NULL DEFAULT 0,
  made_ms      BIGINT NOT NULL,
  made_by      TEXT NOT NULL,
  expires_ms   BIGINT NOT NULL,
  used_ms      BIGINT
);
CREATE INDEX sign_in_state ON sign_in (state_tag);
CREATE INDEX sign_in_next ON sign_in (flow, state, next_ms);

-- What is known of a session besides its tokens, which are in the vault: without a row there this one means nothing. Whoever refreshes
-- it claims it first; a claim of nobody is a pause after a failure.
CREATE TABLE session (
  account       TEXT NOT NULL,
  provider      TEXT NOT NULL,
  hint          TEXT NOT NULL,
  scopes        TEXT NOT NULL,
  expires_ms    BIGINT NOT NULL,
  refresh_ms    BIGINT NOT NULL,
  state         TEXT NOT NULL,
  said          TEXT NOT NULL DEFAULT '',
  claimed_by    TEXT NOT NULL DEFAULT '',
  claimed_until BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (account, provider)
);
