//! Places outside of the gateway where its words go: a collector of traces, a receiver of webhooks, Envoy's administration.
//! Whoever looks for what must be said nowhere looks there, too.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::client::Call;
use crate::gateway::{Gateway, Setup};
use crate::simulator::{Persona, Reply, Script, Simulator};

/// The pages of Envoy's administration that say something.
const PAGES: [&str; 14] = [
    "/certs",
    "/clusters?format=json",
    "/config_dump?include_eds",
    "/help",
    "/init_dump",
    "/listeners?format=json",
    "/logging?level=",
    "/memory",
    "/ready",
    "/runtime",
    "/server_info",
    "/stats?format=json&histogram_buckets=detailed",
    "/stats/prometheus",
    "/stats/recentlookups",
];

/// A collector and a receiver in one, which take everything.
pub struct Outside(Simulator);

impl Outside {
    /// Begins to listen.
    pub fn start() -> anyhow::Result<Self> {
        let taker = Simulator::start(Persona::chat("nobody-has-this"))?;
        taker.play(Script::always(Reply::json(200, &json!({}))));
        Ok(Self(taker))
    }

    /// A set-up whose spans come here. Webhooks on loopback have to be allowed besides.
    pub fn setup(&self, setup: Setup) -> Setup {
        setup.variable("OTEL_EXPORTER_OTLP_ENDPOINT", &self.0.url())
    }

    /// Terms of an account whose webhook this is, and hears of the second request.
    pub fn terms(&self) -> Value {
        let url = format!("{}/told", self.0.url());
        json!({ "webhook": { "url": url }, "budgets": [{ "requests": 200, "tell_at": [1] }] })
    }

    /// Everything that came: heads and bodies, by where it was sent.
    fn came(&self) -> Vec<(String, String)> {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let requests = self.0.journal().requests().into_iter().map(|request| request.received);
        let came = requests.map(|came| {
            let head = came.headers.iter().map(|(name, value)| format!("{name}: {}\n", shown(value)));
            (came.path.clone(), head.collect::<String>() + &shown(&came.body))
        });
        came.collect()
    }

    /// Whether something came that was sent to this path.
    pub fn has(&self, path: &str) -> bool {
        self.came().iter().any(|(to, _)| to == path)
    }

    /// All of these places: what each is called, and what stands there.
    pub fn places(&self, gateway: &Gateway) -> anyhow::Result<Vec<(String, String)>> {
        let mut places = self.came();
        for page in PAGES {
            let answer = Call::new("GET", page).send(&gateway.envoy())?;
            // What changes something is not asked for with GET, and says so; a page that is not there is a mistake here.
            if answer.status == 404 {
                bail!("Envoy has no page {page}");
            }
            places.push((format!("Envoy's {page}"), answer.text()));
        }
        let whole = places.iter().find(|(place, _)| place.contains("config_dump")).context("the page")?;
        if !whole.1.contains("dragoman") {
            bail!("Envoy's configuration is another's: {}", whole.1);
        }
        Ok(places)
    }
}
