//! From rows to what is served: the one place where a Snapshot is made, numbered and handed out.
//!
//! ```text
//! dragoman.toml ──changed──┐
//! rows of the API ─changed─┤         ┌─ refused: told, the last good one serves on
//! discovered models ───────┼─▶ make ─┤
//! a suspension's end ──────┘         └─ good ─▶ store (version) ─▶ Envoy ─▶ filters
//! ```
//!
//! Each control plane makes its own of the same rows, and the store gives the same content the same version: who shares a
//! store, a settings file and an environment agrees, and nobody leads.

mod artifacts;
mod demo;
mod effective;
mod feeds;
mod pins;
mod refused;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tracing::{error, info, warn};

use crate::catalog::{self, Catalog};
use crate::current::{Current, Feed, Made};
use crate::discovery::{self, Known as Discovered};
use crate::run::{Options, environment};
use crate::settings::watch::{INTERVAL, Watched};
use crate::settings::{DEFAULT_FILE, File, Kind, Known, Problem};
use crate::store::costs::DAY_MS;
use crate::store::rows::{Edit, Rows};
use crate::store::versions::Overtaken;
use crate::store::{Store, now_ms};

pub use demo::Demo;
use effective::Effective;
pub use effective::Tried;
pub use feeds::Feeds;
use pins::Pins;

/// How long a change of the admin API waits to be served before it is answered all the same.
const SERVED: Duration = Duration::from_secs(3);

/// Why the newest rows are not served.
#[derive(Debug, Default)]
struct Trouble {
    /// In words; empty when they are served.
    why: String,
    /// Of which change the rows can't be served; none when the store failed, for then another try may do.
    revision: Option<u64>,
}

/// The rows, and what they have become.
pub struct Publication {
    store: Store,
    options: Options,
    shipped: Known,
    /// The settings file as it was last good.
    file: RwLock<File>,
    effective: Effective,
    demo: Demo,
    feeds: Feeds,
    /// One at a time: a later state must not be overtaken by an earlier one.
    making: Mutex<()>,
    /// Why the newest rows are not served.
    trouble: RwLock<Trouble>,
    /// Why the settings file as it stands can't be taken; empty when it was.
    bad_file: RwLock<String>,
    /// What providers said of their models.
    discovered: RwLock<HashMap<String, Vec<Discovered>>>,
    /// Addresses of the providers that this API made.
    pins: Pins,
    /// Somebody has news for [`Publication::run`].
    news: Notify,
}

impl Publication {
    /// Makes the first Snapshot; an error is in the settings, in the rows of the store, or the store's.
    pub async fn begin(options: Options, file: File, store: Store) -> anyhow::Result<Publication> {
        let demo = Demo::new(&options, &file);
        let shipped = catalog::known()?;
        let rows = store.rows().await?;
        let remembered = Effective::default();
        let effective = remembered.of(&file, &rows, &shipped).map_err(|problems| anyhow::anyhow!(lines(&problems)))?;
        let mut catalog = demo.catalog(&effective).await?;
        let discovered = store.discovered().await?;
        catalog.vanished = vanished(&mut catalog, &discovered);
        let pins = Pins::default();
        pins.put(&mut catalog, &rows, &effective.allow_networks).await;
        let made = Made::of(catalog, effective)?;
        let first = Arc::new(Current::publish(made, rows.revision, &store).await?);
        announce(&first);
        Ok(Publication {
            store,
            options,
            shipped,
            file: RwLock::new(file),
            effective: remembered,
            demo,
            feeds: Feeds::new(first),
            making: Mutex::default(),
            trouble: RwLock::default(),
            bad_file: RwLock::default(),
            discovered: RwLock::new(discovered),
            pins,
            news: Notify::new(),
        })
    }

    /// What is served now.
    pub fn current(&self) -> Arc<Current> {
        self.feeds.current()
    }

    /// Where Envoy's configuration learns of changes.
    pub fn for_envoy(&self) -> Feed {
        self.feeds.for_envoy()
    }

    /// Where the filters learn of changes.
    pub fn for_filters(&self) -> Feed {
        self.feeds.for_filters()
    }

    /// Why the settings file as it stands is not what is served; empty when it is.
    pub fn bad_file(&self) -> String {
        self.bad_file.read().map(|why| why.clone()).unwrap_or_default()
    }

    /// Why the newest rows are not served; empty when they are.
    pub fn trouble(&self) -> String {
        self.trouble.read().map(|trouble| trouble.why.clone()).unwrap_or_default()
    }

    /// The settings file as it was last good.
    pub fn file(&self) -> File {
        self.file.read().map(|file| file.clone()).unwrap_or_default()
    }

    /// Whether these rows could be served: what the admin API asks before it changes anything. The rows `touched` must also be
    /// usable now, for instance a provider's key must be found.
    pub fn check(&self, rows: &Rows, touched: &[(Kind, String)]) -> Result<Made, Vec<Problem>> {
        let effective = self.effective.of(&self.file(), rows, &self.shipped)?;
        let whole = |error: anyhow::Error| vec![Problem { row: None, member: None, message: format!("{error:#}") }];
        let mut catalog = Catalog::join(&effective, &environment).map_err(whole)?;
        let fetched: Vec<Problem> = touched.iter().filter_map(|row| pins::says_where_trust_is(rows, row)).collect();
        if !fetched.is_empty() {
            return Err(fetched);
        }
        let unusable: Vec<Problem> = touched
            .iter()
            .filter(|(kind, _)| *kind == Kind::Provider)
            .filter_map(|(kind, id)| {
                let prefix = format!("provider {id}: ");
                let message = catalog.warnings.iter().find_map(|warning| warning.strip_prefix(&prefix))?.to_string();
                Some(Problem { row: Some((*kind, id.clone())), member: None, message })
            })
            .collect();
        if !unusable.is_empty() {
            return Err(unusable);
        }
        self.demo.join(&mut catalog);
        if let Ok(discovered) = self.discovered.read() {
            catalog.vanished = vanished(&mut catalog, &discovered);
        }
        Made::of(catalog, effective).map_err(whole)
    }

    /// [`Publication::check`] of what rows would be after edits, and whether the addresses in them may be connected to: what
    /// is asked before the store's rows are locked, since names are looked up.
    pub async fn try_edits(&self, edits: &[Edit]) -> Result<Tried, Vec<Problem>> {
        let failed = |error: anyhow::Error| {
            tracing::error!("the store failed: {error:#}");
            vec![Problem { row: None, member: None, message: "the store failed; try again".to_string() }]
        };
        let rows = self.store.rows().await.map_err(failed)?.with(edits);
        let touched: Vec<(Kind, String)> =
            edits.iter().filter(|edit| edit.to.is_some()).map(|edit| (edit.kind, edit.id.clone())).collect();
        let made = self.check(&rows, &touched)?;
        let mut problems = Vec::new();
        let addresses = touched.iter().filter(|(kind, id)| *kind == Kind::Provider && pins::says_address(&rows, id));
        for (kind, id) in addresses.cloned() {
            let provider = made.catalog.providers.iter().find(|row| row.id == id);
            let Some(provider) = provider else { continue };
            if let Err(message) = pins::look_up(provider, &made.file.allow_networks).await {
                problems.push(Problem { row: Some((kind, id)), member: Some("base_url".to_string()), message });
            }
        }
        problems.extend(self.not_kept(&made.file, &touched).await.map_err(failed)?);
        if problems.is_empty() { Ok(Tried::good(rows, touched)) } else { Err(problems) }
    }

    /// [`Publication::check`] once the rows are locked: nothing is done twice if they are those that were tried.
    pub fn check_again(&self, rows: &Rows, tried: &Tried) -> Result<(), Vec<Problem>> {
        if tried.is_of(rows) { Ok(()) } else { self.check(rows, tried.touched()).map(|_| ()) }
    }

    /// Makes the Snapshot anew of what the store and the file say now.
    pub async fn refresh(&self) -> anyhow::Result<()> {
        let _turn = self.making.lock().await;
        self.make().await
    }

    /// The same, unless it was done while we waited for our turn: of several who noticed the same change one does the work.
    async fn refresh_unless(&self, done: impl Fn(u64) -> bool) -> anyhow::Result<()> {
        let _turn = self.making.lock().await;
        if done(self.current().revision) { Ok(()) } else { self.make().await }
    }

    /// Whose turn it is makes the Snapshot and hands it out.
    async fn make(&self) -> anyhow::Result<()> {
        let mut tried = None;
        let mut make = async || {
            let rows = self.store.rows().await?;
            let discovered = self.store.discovered().await?;
            tried = Some(rows.revision);
            let effective = self.effective.of(&self.file(), &rows, &self.shipped);
            let effective = effective.map_err(|problems| anyhow::anyhow!(lines(&problems)))?;
            let mut catalog = self.demo.catalog(&effective).await?;
            catalog.vanished = vanished(&mut catalog, &discovered);
            if let Ok(mut known) = self.discovered.write() {
                *known = discovered;
            }
            self.pins.put(&mut catalog, &rows, &effective.allow_networks).await;
            let made = Made::of(catalog, effective)?;
            // What fails from here on is the store, not the rows.
            tried = None;
            Current::publish(made, rows.revision, &self.store).await
        };
        let mut made = make().await;
        // Another control plane was faster with later rows; ours are read again until they are the last.
        while made.as_ref().is_err_and(|error| error.is::<Overtaken>()) {
            made = make().await;
        }
        let why = made.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
        if let Ok(mut trouble) = self.trouble.write() {
            *trouble = Trouble { why, revision: tried };
        }
        let next = Arc::new(made?);
        announce(&next);
        self.feeds.take(next).await;
        Ok(())
    }

    /// Makes what the admin API has just changed be served, and waits for it; the version that has it, if it is served in time.
    pub async fn serve(&self, revision: u64) -> Option<u64> {
        let served = tokio::time::timeout(SERVED, async {
            self.refresh_unless(|served| served >= revision).await?;
            anyhow::Ok(self.current())
        });
        match served.await {
            Ok(Ok(current)) => Some(current.version).filter(|_| current.revision >= revision),
            Ok(Err(error)) => {
                error!("a change was stored but can't be served yet: {error:#}");
                None
            }
            Err(_) => None,
        }
    }

    /// Says that something is known that was not when the Snapshot was made.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// Follows the file, the store and the clock for ever.
    pub async fn run(self: Arc<Self>) {
        tokio::join!(self.follow_file(), self.follow_store());
    }

    async fn follow_file(&self) {
        let path = self.options.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let mut watched = Watched::new(&path);
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            let due = tokio::select! {
                _ = interval.tick() => self.is_over() || self.pins.are_old() || (watched.changed() && self.reread(&path)),
                () = self.news.notified() => true,
            };
            if due && let Err(error) = self.refresh().await {
                error!("what changed can't be taken, the last good one serves on:\n{error:#}");
            }
        }
    }

    /// By itself: whoever waits for the store must not be begun anew each time the file is looked at, or the wait never ends.
    async fn follow_store(&self) {
        let mut changes = None;
        loop {
            if changes.is_none() {
                changes = self.store.changes().await.ok();
            }
            match &mut changes {
                Some(changes) => changes.next().await,
                None => tokio::time::sleep(INTERVAL).await,
            }
            if let Some(revision) = self.is_behind().await
                && let Err(error) = self.refresh_unless(|served| served == revision).await
            {
                error!("what changed can't be taken, the last good one serves on:\n{error:#}");
            }
        }
    }

    /// Reads the settings file anew; false when it can't be taken.
    fn reread(&self, path: &Path) -> bool {
        let loaded = File::load(Some(path), &self.shipped);
        if let Ok(mut why) = self.bad_file.write() {
            *why = loaded.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
        }
        let next = match loaded {
            Ok(next) => next,
            Err(error) => {
                error!("the settings changed but can't be taken, the last good ones serve on:\n{error:#}");
                return false;
            }
        };
        let first = self.file();
        if (&next.listen, &next.data_dir, &next.envoy) != (&first.listen, &first.data_dir, &first.envoy) {
            warn!("[listen], data_dir and [envoy] are read at start only; start Dragoman again to change them");
        }
        if let Ok(mut file) = self.file.write() {
            let (listen, data_dir, envoy) = (first.listen, first.data_dir, first.envoy);
            *file = File { listen, data_dir, envoy, ..next };
        }
        true
    }

    /// The last change there is, if it is neither served nor known to be one that can't be.
    async fn is_behind(&self) -> Option<u64> {
        match self.store.revision().await {
            Ok(revision) => {
                let refused = self.trouble.read().is_ok_and(|trouble| trouble.revision == Some(revision));
                (revision != self.current().revision && !refused).then_some(revision)
            }
            Err(error) => {
                warn!("the store does not answer: {error:#}");
                None
            }
        }
    }

    /// Whether a suspension has ended, or a day, since the Snapshot was made.
    fn is_over(&self) -> bool {
        let now = u64::try_from(now_ms()).unwrap_or(0);
        let current = self.current();
        // Prices begin and end with a day.
        let another_day = now / DAY_MS.unsigned_abs() != current.made_ms / DAY_MS.unsigned_abs();
        another_day
            || current
                .file
                .suspensions
                .iter()
                .any(|row| row.until_ms.is_some_and(|until| (current.made_ms..now).contains(&until)))
    }
}

/// Merges what providers said into the catalogue; gives the offers that they no longer list.
fn vanished(catalog: &mut Catalog, discovered: &HashMap<String, Vec<Discovered>>) -> HashSet<String> {
    let gone = discovery::merge(catalog, discovered);
    gone.into_iter().map(|(provider, model)| format!("{provider}/{model}")).collect()
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

fn announce(current: &Current) {
    let ids: Vec<&str> = current.catalog.providers.iter().map(|row| row.id.as_str()).collect();
    info!(version = current.version, providers = ids.join(","), "the Snapshot is made");
    current.warnings.iter().for_each(|warning| warn!("{warning}"));
}

#[cfg(test)]
mod tests;
