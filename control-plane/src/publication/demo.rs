//! Whether the demo answers, and where.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dragoman_core::catalog::Origin;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::info;

use crate::catalog::{self, Catalog, LOCAL, Registered};
use crate::demo;
use crate::run::{Options, environment, reachable};
use crate::settings::File;

/// How long a local server may take to accept a connection before the demo stands in for it.
const LOCAL_PROBE: Duration = Duration::from_millis(500);

/// Whether the demo answers, and where.
pub struct Demo {
    ip: IpAddr,
    host: Option<String>,
    started: Mutex<Option<SocketAddr>>,
}

impl Demo {
    /// Nothing is started yet.
    pub fn new(options: &Options, file: &File) -> Demo {
        // Where Envoy finds the control plane it finds the demo: same host, another port.
        let host = file.envoy.control_address.is_some().then(|| options.start(file).control.0);
        Demo { ip: file.listen.control.ip(), host, started: Mutex::new(None) }
    }

    /// The catalogue, with the demo in it when it was asked for, or when nobody else could answer.
    pub async fn catalog(&self, file: &File) -> anyhow::Result<Catalog> {
        let mut catalog = Catalog::join(file, &environment)?;
        if file.demo || !(catalog.is_configured() || local_answers(&catalog).await) {
            let mut started = self.started.lock().await;
            if started.is_none() {
                *started = Some(demo::start(self.ip).await?);
                info!("the built-in demo answers");
            }
            drop(started);
            self.join(&mut catalog);
        }
        Ok(catalog)
    }

    /// Puts the demo into a catalogue, if it was ever needed.
    pub fn join(&self, catalog: &mut Catalog) {
        let started = self.started.try_lock().ok().and_then(|started| *started);
        let Some(address) = started else { return };
        let host = self.host.clone().unwrap_or_else(|| reachable(address).ip().to_string());
        let origin = Origin { tls: false, host, port: address.port(), base: demo::PREFIX.to_string() };
        // First among those that take every name.
        catalog.providers.insert(0, Registered::demo(origin));
        if catalog.models.iter().all(|row| row.name != catalog::DEMO) {
            catalog.models.insert(0, catalog::demo_model());
        }
    }
}

async fn local_answers(catalog: &Catalog) -> bool {
    let Some(local) = catalog.providers.iter().find(|row| row.id == LOCAL) else { return false };
    let address = (local.origin.host.trim_matches(['[', ']']), local.origin.port);
    timeout(LOCAL_PROBE, TcpStream::connect(address)).await.is_ok_and(|connection| connection.is_ok())
}
