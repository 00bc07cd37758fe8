//! `dragoman up` and `dragoman serve`: everything together.

mod first;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::artifacts::Artifacts;
use crate::catalog::{self, Registered};
use crate::current::Current;
use crate::data_plane::{self, Watching};
use crate::discovery::{Asker, Rounds};
use crate::experiments::rollout::Rollouts;
use crate::health::FleetView;
use crate::metrics::{Metrics, Rejection};
use crate::oauth::{Egress, OAuth};
use crate::observers::Observers;
use crate::publication::Publication;
use crate::settings::{File, Listen, Secret};
use crate::store::Store;
use crate::store::discovered::Discovered;
use crate::store::keys::Keys;
use crate::store::notices::WebhookSecrets;
use crate::store::pepper::Pepper;
use crate::store::repeated::Repeated;
use crate::store::tokens::Tokens;
use crate::store::vault::Entries;
use crate::traces::Traces;
use crate::webhooks::Teller;
use crate::xds::{self, Edge, Envoys, Module};
use crate::{admin, envoy};

/// The data directory when none is named.
pub const DEFAULT_DATA: &str = ".dragoman";
/// Where authorities' certificates are on Debian, and on most others.
const CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How often it is looked for leases that have ended: so much later is their money free again.
const REAP_INTERVAL: Duration = Duration::from_secs(3);
/// How often what is long over is taken away: it grows by an hour of minutes meanwhile.
const FORGET_INTERVAL: Duration = Duration::from_secs(3600);
/// How long the workers may take to ask for their Snapshot before we say that we serve all the same.
const READY: Duration = Duration::from_secs(5);

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The settings file.
    pub config: Option<PathBuf>,
    /// The data directory.
    pub data: Option<PathBuf>,
    /// The filters' module.
    pub wasm: Option<PathBuf>,
    /// Envoy's program.
    pub envoy: Option<PathBuf>,
    /// The URL of a shared store; SQLite in the data directory when there is none.
    pub store: Option<String>,
}

/// Who runs Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvoyBy {
    /// We do, as a child.
    Us,
    /// Somebody else, with `dragoman render bootstrap`.
    Others,
}

impl Options {
    /// Reads the settings file.
    pub fn file(&self) -> anyhow::Result<File> {
        File::load(self.config.as_deref(), &catalog::known()?)
    }

    /// The data directory: the command line's, the file's, the default.
    pub fn directory(&self, file: &File) -> PathBuf {
        let named = self.data.clone().or_else(|| file.data_dir.clone());
        named.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA))
    }

    /// The filters' module: the command line's, the file's, beside our own program, where `cargo xtask wasm` puts it.
    pub fn module(&self, file: &File) -> PathBuf {
        let named = self.wasm.clone().or_else(|| file.envoy.wasm.clone());
        let beside = || {
            let program = std::env::current_exe().ok()?;
            Some(program.parent()?.join("dragoman_filters.wasm")).filter(|path| path.exists())
        };
        named.or_else(beside).unwrap_or_else(|| PathBuf::from("target/wasm/dragoman_filters.wasm"))
    }

    /// What Envoy is told at its start.
    pub fn start(&self, file: &File) -> xds::bootstrap::Start {
        let own = reachable(file.listen.control);
        let given = file.envoy.control_address.as_deref().and_then(crate::settings::split_address);
        let control = given.map(|(host, port)| (host.to_string(), port));
        xds::bootstrap::Start {
            node: "dragoman".to_string(),
            admin: file.listen.admin,
            control: control.unwrap_or_else(|| (own.ip().to_string(), own.port())),
        }
    }

    /// What Envoy's configuration is made of.
    pub fn edge(&self, file: &File, module: Module, providers: Vec<Registered>) -> Edge {
        Edge {
            data: file.listen.data,
            tls: file.listen.tls.clone(),
            limits: file.limits.clone(),
            module,
            ca_file: self.ca_file(file),
            providers,
            identities: file.identities.clone(),
            hedges: file.hedges(),
        }
    }

    /// The certificates of authorities.
    pub fn ca_file(&self, file: &File) -> PathBuf {
        file.envoy.ca_file.clone().unwrap_or_else(|| PathBuf::from(CA_FILE))
    }
}

/// An address to connect to for one that is listened on.
pub(crate) fn reachable(listening: SocketAddr) -> SocketAddr {
    match listening.ip().is_unspecified() {
        true => SocketAddr::from((Ipv4Addr::LOCALHOST, listening.port())),
        false => listening,
    }
}

/// A look at the process's own environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs until a signal says stop.
pub async fn run(options: Options, envoy_by: EnvoyBy) -> anyhow::Result<()> {
    crate::vault::hide_memory();
    let file = options.file()?;
    let directory = options.directory(&file);
    let store = Store::open(&directory, options.store.as_deref()).await?;
    let pepper = Pepper::of(&store).await?;
    let vault = Entries::of(&store).await?;
    if let Some(why) = vault.sealed() {
        warn!("the vault is sealed, and accounts' own credentials are not served: {why}");
    }
    let keys = Keys::of(&store, pepper.clone());
    let path = options.module(&file);
    let copies = directory.clone();
    let load = {
        let path = path.clone();
        move || match envoy_by {
            EnvoyBy::Us => Module::copied(&path, &copies),
            EnvoyBy::Others => Module::at(&path),
        }
    };
    let module = load()?;
    let listener = TcpListener::bind(file.listen.control).await;
    let listener = listener.with_context(|| format!("the control plane can't listen on {}", file.listen.control))?;
    if !file.listen.control.ip().is_loopback() {
        warn!("whoever reaches {} is given the providers' keys; keep it in a network of its own", file.listen.control);
    }
    // Both addresses are ours before anything is served: who is told that we serve finds both.
    let api = match file.listen.api {
        Some(address) => Some(admin::listen(address).await?),
        None => None,
    };
    let fresh_key = first::key(&keys).await?;
    let tokens = Tokens::of(&store, pepper.clone());
    first::token(&tokens).await?;

    let publication = Arc::new(Publication::begin(options.clone(), file.clone(), store.clone()).await?);
    let current = publication.current();
    let edge = options.edge(&current.file, module, current.catalog.providers.clone());
    let publisher = xds::Publisher::new(edge, publication.for_envoy(), path, load)?;
    let watching = Arc::new(Watching::default());
    let metrics = Arc::new(Metrics::new());
    let traces = Traces::start(&environment, metrics.clone()).map(Arc::new);
    let health = Arc::new(FleetView::begin(store.clone(), publication.for_filters()).await?);
    let observers = Observers { metrics: metrics.clone(), traces: traces.clone(), health: health.clone() };
    let authorities = std::fs::read(options.ca_file(&file)).ok();
    let artifacts =
        Artifacts::begin(store.clone(), publication.for_filters(), watching.clone(), authorities.as_deref());
    let artifacts = Arc::new(artifacts.await?);
    let egress = Egress::by_rows(publication.for_filters(), authorities.as_deref())?;
    let oauth = OAuth::new(&store, &vault, pepper.clone(), (egress, metrics.clone()), publication.for_filters())?;
    let service = data_plane::Service::new(
        publication.for_filters(),
        keys.clone(),
        store.clone(),
        vault.clone(),
        oauth.clone(),
        watching.clone(),
        observers.clone(),
    );
    let (refusals, mut refused) = mpsc::unbounded_channel();
    let envoys = Arc::new(Envoys::new(refusals));
    let configuration = xds::Service::new(publisher.subscribe(), envoys.clone());
    let served = tokio::spawn(data_plane::serve(listener, service, configuration, std::future::pending()));
    tokio::spawn(publisher.run());
    {
        let (watching, keys, store, health) = (watching.clone(), keys.clone(), store.clone(), health.clone());
        let artifacts = artifacts.clone();
        tokio::spawn(async move {
            let (changes, alive) = (watching.changes(keys, store.clone()), watching.alive(store.clone()));
            let cool_downs = watching.cool_downs(store.clone());
            let health = health.run(&watching);
            let told = async { tokio::join!(changes, alive, cool_downs, health, artifacts.run()) };
            tokio::join!(told, reaping(store.clone()), forgetting(store));
        });
    }
    let program = bootstrap(&options, &file, &directory)?;
    // Envoy's main thread has a VM as well; how many workers somebody else's Envoy has is not known.
    let vms = match envoy_by {
        EnvoyBy::Us => usize::try_from(program.concurrency).unwrap_or(1).saturating_add(1),
        EnvoyBy::Others => 1,
    };
    tokio::spawn(say_when_serving(file.listen.clone(), watching.clone(), current, vms, fresh_key));
    tokio::spawn(publication.clone().run());
    tokio::spawn(oauth.clone().run());
    let rounds = discover(&options, &file, &store, &metrics, &publication)?;
    let (asker, probed) = (Asker::new(std::fs::read(options.ca_file(&file)).ok().as_deref())?, health.clone());
    tokio::spawn(async move { probed.probe(asker).await });
    {
        let (publication, metrics) = (publication.clone(), metrics.clone());
        tokio::spawn(async move {
            while let Some(why) = refused.recv().await {
                metrics.rejected(Rejection::Envoy);
                publication.refused(&why).await;
            }
        });
    }
    tokio::spawn(Rollouts { store: store.clone(), publication: publication.clone() }.run());
    let webhooks = WebhookSecrets::of(&store, pepper.clone());
    let current = publication.for_filters();
    let teller = Teller { store: store.clone(), secrets: webhooks.clone(), current, metrics: metrics.clone() };
    tokio::spawn(teller.run());
    if let Some(listener) = api {
        let repeated = Repeated::of(&store, pepper);
        let state = admin::Admin {
            store,
            keys,
            vault,
            oauth,
            webhooks,
            tokens,
            repeated,
            publication,
            watching,
            envoys,
            metrics,
            rounds,
            health,
            artifacts,
        };
        tokio::spawn(admin::serve(listener, state));
    }

    let stop = signal()?;
    match envoy_by {
        EnvoyBy::Us => tokio::select! {
            ended = program.supervise(stop) => ended?,
            ended = served => ended??,
        },
        EnvoyBy::Others => tokio::select! {
            () = stop => {}
            ended = served => ended??,
        },
    }
    if let Some(traces) = traces {
        traces.flush().await;
    }
    info!("stopped");
    Ok(())
}

/// Takes back for ever what leases and dead data planes left.
async fn reaping(store: Store) {
    while let Err(error) = store.presume_alive().await {
        error!("the store failed, and nothing is taken back: {error:#}");
        tokio::time::sleep(REAP_INTERVAL).await;
    }
    let mut interval = tokio::time::interval(REAP_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match store.reap().await {
            Ok(reaped) if reaped.exchanges > 0 => {
                warn!(exchanges = reaped.exchanges, "data planes died; what they had reserved is settled as estimated");
            }
            Ok(_) => {}
            Err(error) => error!("the store failed, and leases that ended are not taken back: {error:#}"),
        }
    }
}

/// Takes away for ever what of budgets is long over.
async fn forgetting(store: Store) {
    let mut interval = tokio::time::interval(FORGET_INTERVAL);
    loop {
        interval.tick().await;
        if let Err(error) = store.forget().await {
            error!("the store failed, and what is long over stays in it: {error:#}");
        }
    }
}

/// Asks providers for their models for ever, unless the file says not to; by hand it can be done all the same.
fn discover(
    options: &Options,
    file: &File,
    store: &Store,
    metrics: &Arc<Metrics>,
    publication: &Arc<Publication>,
) -> anyhow::Result<Arc<Rounds<Discovered>>> {
    let authorities = std::fs::read(options.ca_file(file)).ok();
    let memory = Discovered { store: store.clone(), metrics: metrics.clone() };
    let rounds = Rounds::new(Asker::by_rows(publication.for_filters(), authorities.as_deref())?, memory);
    if file.discovery.unwrap_or(true) {
        let (asked, told) = (publication.clone(), publication.clone());
        let providers = move || asked.current().catalog.providers.clone();
        tokio::spawn(rounds.clone().run(providers, move || told.wake()));
    }
    Ok(rounds)
}

/// Writes Envoy's bootstrap into the data directory.
fn bootstrap(options: &Options, file: &File, directory: &Path) -> anyhow::Result<envoy::Program> {
    let bootstrap = xds::bootstrap::by_ads(&options.start(file), &file.limits)?;
    let path = directory.join("envoy.json");
    std::fs::write(&path, format!("{bootstrap:#}\n")).with_context(|| path.display().to_string())?;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let program = envoy::find(options.envoy.as_deref().or(file.envoy.program.as_deref()));
    Ok(envoy::Program { path: program, bootstrap: path, concurrency: file.envoy.concurrency.unwrap_or(cores) })
}

/// SIGINT or SIGTERM.
fn signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Says so once callers are really answered: Envoy listens, the filters run, and every worker has the Snapshot.
async fn say_when_serving(
    listen: Listen,
    watching: Arc<Watching>,
    current: Arc<Current>,
    vms: usize,
    key: Option<Secret>,
) {
    let address = reachable(listen.data);
    let is_there = async || match listen.tls {
        Some(_) => envoy::listens(address).await,
        None => envoy::answers(address).await,
    };
    while !is_there().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let everybody = async {
        while watching.count_at(current.version) < vms {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(READY, everybody).await.is_err() {
        warn!("not every worker of Envoy has asked for its Snapshot yet");
    }
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    info!("serving on {scheme}://{address}");
    let demo = current.catalog.providers.iter().any(|row| row.id == catalog::DEMO);
    let model = if demo { "demo" } else { "MODEL" };
    let key = key.as_ref().map_or("$DRAGOMAN_KEY", |key| key.expose());
    let _ = crate::cli::print(&format!(
        "Try: curl {scheme}://{address}/v1/chat/completions -H \"authorization: Bearer {key}\" -H 'content-type: application/json' \
         -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'"
    ));
}
