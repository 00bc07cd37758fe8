//! `dragoman up` and `dragoman serve`: everything together.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use dragoman_core::catalog::Origin;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::catalog::{self, Catalog, LOCAL, Registered};
use crate::current::Current;
use crate::data_plane::{self, Watching};
use crate::settings::watch::{INTERVAL, Watched};
use crate::settings::{DEFAULT_FILE, File, Known};
use crate::store::Store;
use crate::store::keys::Keys;
use crate::xds::{self, Edge, Module};
use crate::{demo, envoy};

/// How long a local server may take to accept a connection before the demo stands in for it.
const LOCAL_PROBE: Duration = Duration::from_millis(500);
/// The data directory when none is named.
pub const DEFAULT_DATA: &str = ".dragoman";
/// Where authorities' certificates are on Debian, and on most others.
const CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How much earlier Envoy learns of other providers than the filters do: a new cluster resolves its name first.
const HEAD_START: Duration = Duration::from_millis(500);
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
        let ca_file = file.envoy.ca_file.clone().unwrap_or_else(|| PathBuf::from(CA_FILE));
        Edge { data: file.listen.data, limits: file.limits.clone(), module, ca_file, providers }
    }
}

/// An address to connect to for one that is listened on.
fn reachable(listening: SocketAddr) -> SocketAddr {
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
    let file = options.file()?;
    let directory = options.directory(&file);
    let store = Store::open(&directory).await?;
    let keys = Keys::open(&store)?;
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
    let fresh_key = first_key(&keys).await?;

    let demo = Demo::new(&options, &file);
    let catalog = demo.catalog(&file).await?;
    let current = Arc::new(Current::make(catalog, &file, &store).await?);
    announce(&current);
    let edge = options.edge(&file, module, current.catalog.providers.clone());
    let feeds = Feeds { envoy: watch::Sender::new(current.clone()), filters: watch::Sender::new(current.clone()) };
    let publisher = xds::Publisher::new(edge, feeds.envoy.subscribe(), path, load)?;
    let watching = Arc::new(Watching::default());
    let service = data_plane::Service::new(feeds.filters.subscribe(), keys.clone(), store.clone(), watching.clone());
    let configuration = xds::Service::new(publisher.subscribe());
    let served = tokio::spawn(data_plane::serve(listener, service, configuration, std::future::pending()));
    tokio::spawn(publisher.run());
    {
        let (watching, keys) = (watching.clone(), keys.clone());
        tokio::spawn(async move { watching.revocations(keys).await });
    }
    let program = bootstrap(&options, &file, &directory)?;
    // Envoy's main thread has a VM as well; how many workers somebody else's Envoy has is not known.
    let vms = match envoy_by {
        EnvoyBy::Us => usize::try_from(program.concurrency).unwrap_or(1).saturating_add(1),
        EnvoyBy::Others => 1,
    };
    tokio::spawn(say_when_serving(file.listen.data, watching, current, vms, fresh_key));
    tokio::spawn(reload(options, file, store, demo, feeds));

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
    info!("stopped");
    Ok(())
}

/// Makes and prints a key if there was none ever.
async fn first_key(keys: &Keys) -> anyhow::Result<Option<crate::settings::Secret>> {
    if !keys.is_empty().await? {
        return Ok(None);
    }
    let key = keys.create("first", None).await?;
    crate::cli::print(&format!("Your first key (shown once; make more with `dragoman key create`): {}", key.expose()))?;
    Ok(Some(key))
}

fn announce(current: &Current) {
    let ids: Vec<&str> = current.catalog.providers.iter().map(|row| row.id.as_str()).collect();
    info!(version = current.version, providers = ids.join(","), "the Snapshot is made");
    current.warnings.iter().for_each(|warning| warn!("{warning}"));
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
    data: SocketAddr,
    watching: Arc<Watching>,
    current: Arc<Current>,
    vms: usize,
    key: Option<crate::settings::Secret>,
) {
    let address = reachable(data);
    while !envoy::answers(address).await {
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
    info!("serving on http://{address}");
    let demo = current.catalog.providers.iter().any(|row| row.id == catalog::DEMO);
    let model = if demo { "demo" } else { "MODEL" };
    let key = key.as_ref().map_or("$DRAGOMAN_KEY", |key| key.expose());
    let _ = crate::cli::print(&format!(
        "Try: curl http://{address}/v1/chat/completions -H 'authorization: Bearer {key}' -H 'content-type: application/json' \
         -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'"
    ));
}

/// Takes over a settings file that changed; a bad one is told of, and the last good one serves on.
async fn reload(options: Options, first: File, store: Store, demo: Demo, feeds: Feeds) {
    let path = options.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let mut watched = Watched::new(&path);
    let mut interval = tokio::time::interval(INTERVAL);
    let known = catalog::known().unwrap_or_else(|_| Known::default());
    loop {
        interval.tick().await;
        if !watched.changed() {
            continue;
        }
        let next = async {
            let file = File::load(Some(&path), &known)?;
            if (&file.listen, &file.data_dir, &file.envoy) != (&first.listen, &first.data_dir, &first.envoy) {
                warn!("[listen], data_dir and [envoy] are read at start only; start Dragoman again to change them");
            }
            Current::make(demo.catalog(&file).await?, &file, &store).await
        };
        match next.await {
            Ok(current) => {
                announce(&current);
                feeds.take(Arc::new(current)).await;
            }
            Err(error) => error!("the settings changed but can't be taken, the last good ones serve on:\n{error:#}"),
        }
    }
}

/// Who is told of a change: Envoy first, so that no Plan names a cluster that is not there yet.
struct Feeds {
    envoy: watch::Sender<Arc<Current>>,
    filters: watch::Sender<Arc<Current>>,
}

impl Feeds {
    async fn take(&self, next: Arc<Current>) {
        let before = self.envoy.send_replace(next.clone());
        if before.catalog.providers != next.catalog.providers {
            tokio::time::sleep(HEAD_START).await;
        }
        self.filters.send_replace(next);
    }
}

/// Whether the demo answers, and where.
struct Demo {
    ip: IpAddr,
    host: Option<String>,
    started: Mutex<Option<SocketAddr>>,
}

impl Demo {
    fn new(options: &Options, file: &File) -> Demo {
        // Where Envoy finds the control plane it finds the demo: same host, another port.
        let host = file.envoy.control_address.is_some().then(|| options.start(file).control.0);
        Demo { ip: file.listen.control.ip(), host, started: Mutex::new(None) }
    }

    /// The catalogue, with the demo in it when it was asked for, or when nobody else could answer.
    async fn catalog(&self, file: &File) -> anyhow::Result<Catalog> {
        let mut catalog = Catalog::join(file, &environment)?;
        if file.demo || !(catalog.is_configured() || local_answers(&catalog).await) {
            let mut started = self.started.lock().await;
            let address = match *started {
                Some(address) => address,
                None => *started.insert(demo::start(self.ip).await?),
            };
            let host = self.host.clone().unwrap_or_else(|| reachable(address).ip().to_string());
            let origin = Origin { tls: false, host, port: address.port(), base: demo::PREFIX.to_string() };
            info!("the built-in demo answers");
            // First among those that take every name.
            catalog.providers.insert(0, Registered::demo(origin));
            if catalog.models.iter().all(|row| row.name != catalog::DEMO) {
                catalog.models.insert(0, catalog::demo_model());
            }
        }
        Ok(catalog)
    }
}

async fn local_answers(catalog: &Catalog) -> bool {
    let Some(local) = catalog.providers.iter().find(|row| row.id == LOCAL) else { return false };
    let address = (local.origin.host.trim_matches(['[', ']']), local.origin.port);
    timeout(LOCAL_PROBE, TcpStream::connect(address)).await.is_ok_and(|connection| connection.is_ok())
}
