//! Sessions: what came of sign-ins. The tokens are in the vault, what else is known of them is a row here; both change together.
//!
//! ```text
//! active ─▶ claimed by one control plane ─▶ the provider is asked, outside of any change ─▶ renewed: vault, then handed out
//!    ▲                                        ├ it can't be asked: a pause, then anybody
//!    └── a new sign-in ◀── needs_sign_in ◀────┘ it refuses: nobody asks again
//! ```
//!
//! Every end of a claim names the version that it began with: what was made of an older one than is there is dropped.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::vault::{Entries, Fault};
use super::{Change, Store};
use crate::settings::Secret;
use crate::vault::{Purpose, Slot};

/// Whether a session serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// It does.
    Active,
    /// Its provider took it back, or it ended and can't be renewed.
    NeedsSignIn,
}

impl SessionState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            SessionState::Active => "active",
            SessionState::NeedsSignIn => "needs_sign_in",
        }
    }
}

/// What is known of a session besides its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is, alone.
    pub account: String,
    /// With whom.
    pub provider: String,
    /// Its version in the vault.
    pub version: i64,
    /// The last characters of the token.
    pub hint: String,
    /// What it may do, in the provider's words.
    pub scopes: Vec<String>,
    /// When the token ends, in milliseconds since 1970; 0 when nobody said.
    pub expires_ms: i64,
    /// When it is to be renewed; 0 when it can't be.
    pub refresh_ms: i64,
    /// Whether it serves.
    pub state: SessionState,
    /// What went wrong last; empty when nothing did.
    pub said: String,
    /// Until when somebody has it claimed, or nobody is to ask.
    pub claimed_until: i64,
    /// Whether that is a pause, which is nobody's claim.
    pub paused: bool,
    /// When its owner first signed in.
    pub created_ms: i64,
    /// When its tokens were written last.
    pub changed_ms: i64,
    /// By whom.
    pub changed_by: String,
}

/// Tokens as they are to be kept, and what is known of them.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The document of the vault.
    pub document: Secret,
    /// The last characters of the token.
    pub hint: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it ends; 0 when nobody said.
    pub expires_ms: i64,
    /// When it is to be renewed; 0 when it can't be.
    pub refresh_ms: i64,
}

/// Who claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Somebody's request: a pause holds.
    Pauses,
    /// A person who asked for it: a pause does not.
    AtOnce,
}

/// The sessions of a store.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    vault: Entries,
}

const FIND: &str = "SELECT s.account AS account, s.provider AS provider, s.hint AS hint, s.scopes AS scopes, \
    s.expires_ms AS expires_ms, s.refresh_ms AS refresh_ms, s.state AS state, s.said AS said, \
    s.claimed_until AS claimed_until, s.claimed_by AS claimed_by, e.version AS version, e.created_ms AS created_ms, \
    e.changed_ms AS changed_ms, e.changed_by AS changed_by FROM session s JOIN vault_entry e \
    ON e.purpose = 'session' AND e.account = s.account AND e.provider = s.provider";

/// That the session of the parameters from there on is of that version.
const OF_VERSION: &str = "account = $1 AND provider = $2 AND EXISTS (SELECT 1 FROM vault_entry e WHERE \
    e.purpose = 'session' AND e.account = $1 AND e.provider = $2 AND e.version = $3)";

impl Sessions {
    /// The sessions of a store and its vault.
    pub fn of(store: &Store, vault: &Entries) -> Sessions {
        Sessions { store: store.clone(), vault: vault.clone() }
    }

    /// A session begins, in the place of one that may be there.
    pub async fn begin(&self, slot: &Slot, tokens: &Tokens, by: &str) -> Result<(), Fault> {
        let mut change = self.store.exclusive().await?;
        let (entry, manifest) = self.vault.put_in(&mut change, slot, &tokens.document, by).await?;
        write(&mut change, slot, tokens).await?;
        let scopes = tokens.scopes.join(" ");
        let after = serde_json::json!({ "hint": tokens.hint, "scopes": scopes, "version": entry.version }).to_string();
        self.vault.note(&mut change, by, "sign in", slot, &after).await?;
        change.commit().await.map_err(anyhow::Error::from)?;
        self.vault.saw(slot.tenant(), &manifest);
        Ok(())
    }

    /// Renewed tokens take the place of those of that version; false when others did already, or nothing is there.
    pub async fn renew(&self, slot: &Slot, version: i64, tokens: &Tokens, by: &str) -> Result<bool, Fault> {
        let mut change = self.store.exclusive().await?;
        if !is_of(&mut change, slot, version).await? {
            return Ok(false);
        }
        let (_, manifest) = self.vault.put_in(&mut change, slot, &tokens.document, by).await?;
        write(&mut change, slot, tokens).await?;
        change.commit().await.map_err(anyhow::Error::from)?;
        self.vault.saw(slot.tenant(), &manifest);
        Ok(true)
    }

    /// Claims the session of that version for so long; false when somebody has it, or it is another one by now.
    pub async fn claim(
        &self,
        slot: &Slot,
        version: i64,
        (me, for_ms): (&str, i64),
        patience: Patience,
    ) -> anyhow::Result<bool> {
        let mut change = self.store.exclusive().await?;
        let now = self.store.engine.now_ms(&mut change).await?;
        let update = format!(
            "UPDATE session SET claimed_by = $4, claimed_until = $5 WHERE {OF_VERSION} AND state = 'active' \
             AND (claimed_until <= $6 OR (claimed_by = '' AND $7 = 1))"
        );
        let update = sqlx::query(sqlx::AssertSqlSafe(update)).bind(&slot.account).bind(&slot.provider).bind(version);
        let update = update.bind(me).bind(now + for_ms).bind(now).bind(i64::from(patience == Patience::AtOnce));
        let ours = update.execute(&mut *change).await?.rows_affected() == 1;
        change.commit().await?;
        Ok(ours)
    }

    /// The provider can't be asked: nobody tries for so long.
    pub async fn pause(&self, slot: &Slot, version: i64, said: &str, for_ms: i64) -> anyhow::Result<()> {
        let mut change = self.store.exclusive().await?;
        let now = self.store.engine.now_ms(&mut change).await?;
        let update = format!("UPDATE session SET said = $4, claimed_by = '', claimed_until = $5 WHERE {OF_VERSION}");
        let update = sqlx::query(sqlx::AssertSqlSafe(update)).bind(&slot.account).bind(&slot.provider).bind(version);
        update.bind(said).bind(now + for_ms).execute(&mut *change).await?;
        Ok(change.commit().await?)
    }

    /// The session serves no longer: its owner signs in again. Nobody asks its provider before.
    pub async fn end(&self, slot: &Slot, version: i64, said: &str, by: &str) -> anyhow::Result<()> {
        let mut change = self.store.exclusive().await?;
        let update = format!(
            "UPDATE session SET said = $4, state = 'needs_sign_in', claimed_by = '', claimed_until = 0 \
             WHERE {OF_VERSION} AND state = 'active'"
        );
        let update = sqlx::query(sqlx::AssertSqlSafe(update)).bind(&slot.account).bind(&slot.provider).bind(version);
        if update.bind(said).execute(&mut *change).await?.rows_affected() == 1 {
            let after = serde_json::json!({ "said": said }).to_string();
            self.vault.note(&mut change, by, "needs sign-in", slot, &after).await?;
        }
        Ok(change.commit().await?)
    }

    /// Takes a session away; false when there was none.
    pub async fn delete(&self, slot: &Slot, by: &str) -> Result<bool, Fault> {
        let mut change = self.store.exclusive().await?;
        let Some(manifest) = self.vault.delete_in(&mut change, slot).await? else { return Ok(false) };
        let delete = sqlx::query("DELETE FROM session WHERE account = $1 AND provider = $2");
        delete.bind(&slot.account).bind(&slot.provider).execute(&mut *change).await?;
        self.vault.note(&mut change, by, "sign out", slot, "{}").await?;
        change.commit().await.map_err(anyhow::Error::from)?;
        self.vault.saw(slot.tenant(), &manifest);
        Ok(true)
    }

    /// The session of a place, with its tokens.
    pub async fn open(&self, slot: &Slot) -> Result<Option<(Session, Secret)>, Fault> {
        // A renewal between the two looks is seen by its version; it does not come twice.
        for _ in 0..3 {
            let Some(session) = self.find(slot).await? else {
                // What the manifest says and the table does not was taken away by somebody else.
                self.vault.open(Purpose::Session, &slot.account, &slot.provider).await?;
                return Ok(None);
            };
            match self.vault.open(Purpose::Session, &slot.account, &slot.provider).await? {
                Some((entry, document)) if entry.version == session.version => return Ok(Some((session, document))),
                Some(_) => {}
                None => return Ok(None),
            }
        }
        Err(Fault::Failed(anyhow::anyhow!("a session changes faster than it can be read")))
    }

    /// What is known of the session of a place.
    pub async fn find(&self, slot: &Slot) -> anyhow::Result<Option<Session>> {
        let find = format!("{FIND} WHERE s.account = $1 AND s.provider = $2");
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(&slot.account).bind(&slot.provider);
        find.fetch_optional(&self.store.reader).await?.as_ref().map(session).transpose()
    }

    /// Every session, by account and provider.
    pub async fn list(&self) -> anyhow::Result<Vec<Session>> {
        let find = format!("{FIND} ORDER BY s.account, s.provider");
        let rows = sqlx::query(sqlx::AssertSqlSafe(find)).fetch_all(&self.store.reader).await?;
        rows.iter().map(session).collect()
    }
}

async fn is_of(change: &mut Change, slot: &Slot, version: i64) -> anyhow::Result<bool> {
    let find = format!("SELECT account FROM session WHERE {OF_VERSION}");
    let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(&slot.account).bind(&slot.provider).bind(version);
    Ok(find.fetch_optional(&mut **change).await?.is_some())
}

async fn write(change: &mut Change, slot: &Slot, tokens: &Tokens) -> anyhow::Result<()> {
    let insert = sqlx::query(
        "INSERT INTO session (account, provider, hint, scopes, expires_ms, refresh_ms, state) \
         VALUES ($1, $2, $3, $4, $5, $6, 'active') ON CONFLICT (account, provider) DO UPDATE SET hint = $3, scopes = $4, \
         expires_ms = $5, refresh_ms = $6, state = 'active', said = '', claimed_by = '', claimed_until = 0",
    );
    let insert = insert.bind(&slot.account).bind(&slot.provider).bind(&tokens.hint).bind(tokens.scopes.join(" "));
    insert.bind(tokens.expires_ms).bind(tokens.refresh_ms).execute(&mut **change).await?;
    Ok(())
}

fn session(row: &AnyRow) -> anyhow::Result<Session> {
    let scopes: String = row.try_get("scopes")?;
    Ok(Session {
        account: row.try_get("account")?,
        provider: row.try_get("provider")?,
        version: row.try_get("version")?,
        hint: row.try_get("hint")?,
        scopes: scopes.split_whitespace().map(str::to_string).collect(),
        expires_ms: row.try_get("expires_ms")?,
        refresh_ms: row.try_get("refresh_ms")?,
        state: match row.try_get::<String, _>("state")?.as_str() {
            "active" => SessionState::Active,
            _ => SessionState::NeedsSignIn,
        },
        said: row.try_get("said")?,
        claimed_until: row.try_get("claimed_until")?,
        paused: row.try_get::<String, _>("claimed_by")?.is_empty(),
        created_ms: row.try_get("created_ms")?,
        changed_ms: row.try_get("changed_ms")?,
        changed_by: row.try_get("changed_by")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::Condition;
    use super::super::tests::on_both;
    use super::*;
    use crate::accounts::{AccountId, AccountKind, Terms};

    fn tokens(text: &str) -> Tokens {
        let (document, hint) = (Secret::new(text), "last".to_string());
        Tokens { document, hint, scopes: vec!["a".into(), "b".into()], expires_ms: 9, refresh_ms: 8 }
    }

    async fn with_accounts(store: &Store) {
        for (id, kind) in [("acme", AccountKind::Tenant), ("acme.alice", AccountKind::User)] {
            let id = AccountId::read(id).unwrap();
            store.put_account("me", &id, kind, &Terms::default(), Condition::None).await.unwrap();
        }
    }

    async fn text(sessions: &Sessions, slot: &Slot) -> Option<String> {
        sessions.open(slot).await.unwrap().map(|(_, document)| document.expose().to_string())
    }

    #[tokio::test]
    async fn a_session_is_its_owners_alone_and_renewed_by_one_who_claimed_it() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let vault = Entries::of(&store).await.unwrap();
            let sessions = Sessions::of(&store, &vault);
            let slot = Slot::session("acme.alice", "corp");
            let begun = sessions.begin(&slot, &tokens("one"), "me").await;
            assert!(matches!(begun, Err(Fault::NoAccount(_))), "{begun:?}");
            with_accounts(&store).await;
            sessions.begin(&slot, &tokens("one"), "me").await.unwrap();
            let gone = store.delete_account("me", "acme.alice", Condition::None).await;
            assert!(gone.is_err(), "an account with a session stays: {gone:?}");
            assert_eq!(text(&sessions, &slot).await, Some("one".into()));
            for other in ["acme.alice.x", "acme", "acme.bob"] {
                assert_eq!(text(&sessions, &Slot::session(other, "corp")).await, None, "{other}");
                assert_eq!(vault.own(Purpose::Session, other).await.unwrap(), Vec::<String>::new(), "{other}");
            }
            assert_eq!(vault.own(Purpose::Session, "acme.alice").await.unwrap(), ["corp"]);
            assert_eq!(vault.own(Purpose::Credential, "acme.alice").await.unwrap(), Vec::<String>::new());

            let version = sessions.find(&slot).await.unwrap().unwrap().version;
            let claim = async |patience| sessions.claim(&slot, version, ("cp", 60_000), patience).await.unwrap();
            let (one, other) = tokio::join!(claim(Patience::Pauses), claim(Patience::AtOnce));
            assert!(one != other);
            sessions.pause(&slot, version, "not there", 60_000).await.unwrap();
            assert!(!claim(Patience::Pauses).await && claim(Patience::AtOnce).await);
            assert!(sessions.renew(&slot, version, &tokens("two"), "cp").await.unwrap());
            assert!(!sessions.renew(&slot, version, &tokens("late"), "cp").await.unwrap());
            sessions.end(&slot, version, "late", "cp").await.unwrap();
            assert!(!claim(Patience::AtOnce).await, "that version is gone");
            assert_eq!(text(&sessions, &slot).await, Some("two".into()));
            let known = sessions.find(&slot).await.unwrap().unwrap();
            assert_eq!((known.state, known.said.as_str(), known.hint.as_str()), (SessionState::Active, "", "last"));
        }
    }

    #[tokio::test]
    async fn one_that_ended_is_not_claimed_until_its_owner_signs_in_again() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let sessions = Sessions::of(&store, &Entries::of(&store).await.unwrap());
            with_accounts(&store).await;
            let slot = Slot::session("acme.alice", "corp");
            sessions.begin(&slot, &tokens("one"), "me").await.unwrap();
            let version = sessions.find(&slot).await.unwrap().unwrap().version;
            sessions.end(&slot, version, "taken back", "cp").await.unwrap();
            assert!(!sessions.claim(&slot, version, ("cp", 1), Patience::AtOnce).await.unwrap());
            let known = sessions.list().await.unwrap().remove(0);
            assert_eq!((known.state, known.said.as_str()), (SessionState::NeedsSignIn, "taken back"));
            sessions.begin(&slot, &tokens("two"), "me").await.unwrap();
            assert_eq!(sessions.find(&slot).await.unwrap().unwrap().state, SessionState::Active);
            assert!(sessions.delete(&slot, "me").await.unwrap() && !sessions.delete(&slot, "me").await.unwrap());
            assert_eq!((text(&sessions, &slot).await, sessions.list().await.unwrap().len()), (None, 0));
            let log = store.audit(None, 9).await.unwrap();
            let log: Vec<_> = log.iter().map(|one| (one.action.as_str(), one.kind.as_str(), one.id.as_str())).collect();
            let noted = |action| (action, "session", "acme.alice/corp");
            assert_eq!(log[..4], ["sign out", "sign in", "needs sign-in", "sign in"].map(noted));
        }
    }
}
