//! The members of the settings file, and what must hold between them.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::members::{Members, Reading};
use super::mistake::Mistakes;
use super::said::Said;
use super::{
    ClientCertificates, EnvoySettings, File, HealthSettings, Known, Limits, Listen, ListenTls, experiment, health,
    identity, model, price, provider, route, rule, suspension, tuning,
};

/// Reads a whole file but for what it said word by word; what it names must be in it or `known`.
pub(super) fn read(name: &str, text: &str, known: &Known) -> Result<File, Mistakes> {
    let (mut reading, document) = Reading::begin(text);
    let reading_ref = &mut reading;
    let mut members = Members::of("the settings file", 0, document.get_ref());
    let listen = members.table(reading_ref, "listen", "[listen]").map(|table| listen(reading_ref, table));
    let limits = members.table(reading_ref, "limits", "[limits]").map(|table| limits(reading_ref, table));
    let discovery = members.flag(reading_ref, "discovery").map(|placed| placed.value);
    let as_usual = HealthSettings::where_discovery_is(discovery.unwrap_or(true));
    let health = members.table(reading_ref, "health", "[health]");
    let health = health.map_or(as_usual.clone(), |table| health::health(reading_ref, table, as_usual));
    let tuning = members.table(reading_ref, "tuning", "[tuning]").map(|table| tuning::tuning(reading_ref, table));
    let envoy = members.table(reading_ref, "envoy", "[envoy]").map(|table| envoy(reading_ref, table));
    let providers = members.tables(reading_ref, "provider", "a [[provider]]").unwrap_or_default();
    let models = members.tables(reading_ref, "model", "a [[model]]").unwrap_or_default();
    let routes = members.tables(reading_ref, "route", "a [[route]]").unwrap_or_default();
    let suspensions = members.tables(reading_ref, "suspension", "a [[suspension]]").unwrap_or_default();
    let rules = rule::rules(reading_ref, &mut members);
    let identities = members.tables(reading_ref, "identity", "an [[identity]]").unwrap_or_default();
    let experiments = members.tables(reading_ref, "experiment", "an [[experiment]]").unwrap_or_default();
    let prices = members.tables(reading_ref, "price", "a [[price]]").unwrap_or_default();
    let pricing = members.table(reading_ref, "pricing", "[pricing]").map(|table| price::pricing(reading_ref, table));
    let file = File {
        listen: listen.unwrap_or_default(),
        data_dir: members.string(reading_ref, "data_dir").map(|path| PathBuf::from(path.value)),
        limits: limits.unwrap_or_default(),
        health,
        tuning: tuning.unwrap_or_default(),
        envoy: envoy.unwrap_or_default(),
        catalog: members.flag(reading_ref, "catalog").map(|placed| placed.value),
        demo: members.flag(reading_ref, "demo").is_some_and(|placed| placed.value),
        discovery,
        allow_networks: networks(reading_ref, &mut members),
        loss: route::loss(reading_ref, &mut members).unwrap_or_default(),
        fallback: route::strategy(reading_ref, &mut members, "fallback").unwrap_or_default(),
        providers: providers.into_iter().map(|row| provider::provider(reading_ref, row)).collect(),
        models: models.into_iter().map(|row| model::model(reading_ref, row)).collect(),
        routes: routes.into_iter().map(|row| route::route(reading_ref, row)).collect(),
        aliases: members.pairs(reading_ref, "aliases").unwrap_or_default(),
        suspensions: suspensions.into_iter().map(|row| suspension::suspension(reading_ref, row)).collect(),
        rules,
        identities: identities.into_iter().filter_map(|row| identity::identity(reading_ref, row)).collect(),
        experiments: experiments.into_iter().map(|row| experiment::experiment(reading_ref, row)).collect(),
        said: Said::default(),
        prices: prices.into_iter().map(|row| price::price(reading_ref, row)).collect(),
        pricing: pricing.unwrap_or_default(),
    };
    members.end(reading_ref);
    check_names(reading_ref, &file);
    check_references(reading_ref, &file, known);
    reading.end(name, file)
}

fn listen(reading: &mut Reading<'_>, mut table: Members<'_>) -> Listen {
    let default = Listen::default();
    let data = address(reading, &mut table, "data").unwrap_or(default.data);
    let control = address(reading, &mut table, "control").unwrap_or(default.control);
    let off = table.value("admin").map(|value| (value.span().start, value.get_ref().as_str().map(str::to_string)));
    let admin = match off {
        None => default.admin,
        Some((_, Some(text))) if text == "off" => None,
        Some((at, text)) => text.and_then(|text| parsed(reading, at, "admin", &text)),
    };
    if admin.is_some_and(|admin| !admin.ip().is_loopback()) {
        reading.mistake(table.at, "`admin` must be a loopback address or \"off\": whoever reaches it controls Envoy");
    }
    let off = table.value("api").map(|value| (value.span().start, value.get_ref().as_str().map(str::to_string)));
    let api = match off {
        None => default.api,
        Some((_, Some(text))) if text == "off" => None,
        Some((at, text)) => text.and_then(|text| parsed(reading, at, "api", &text)),
    };
    let tls = table.table(reading, "tls", "`tls`").and_then(|table| tls(reading, table));
    table.end(reading);
    Listen { data, control, admin, api, tls }
}

fn tls(reading: &mut Reading<'_>, mut table: Members<'_>) -> Option<ListenTls> {
    let at = table.at;
    let mut path = |reading: &mut Reading<'_>, name| {
        table.string(reading, name).filter(|path| !path.value.is_empty()).map(|path| PathBuf::from(path.value))
    };
    let (cert, key, client_ca) = (path(reading, "cert"), path(reading, "key"), path(reading, "client_ca"));
    let required = table.flag(reading, "require_client_certificate").is_some_and(|placed| placed.value);
    table.end(reading);
    if required && client_ca.is_none() {
        reading.mistake(at, "`require_client_certificate` needs a `client_ca`, or everybody's certificate would do");
    }
    let clients = if required { ClientCertificates::Required } else { ClientCertificates::Welcome };
    let (Some(cert), Some(key)) = (cert, key) else {
        reading.mistake(at, "`tls` needs `cert` and `key`, two files in PEM as Envoy sees them");
        return None;
    };
    Some(ListenTls { cert, key, client_ca, clients })
}

fn address(reading: &mut Reading<'_>, table: &mut Members<'_>, name: &'static str) -> Option<SocketAddr> {
    let text = table.string(reading, name)?;
    parsed(reading, text.at, name, &text.value)
}

fn parsed(reading: &mut Reading<'_>, at: usize, name: &str, text: &str) -> Option<SocketAddr> {
    let address = text.parse().ok().filter(|address: &SocketAddr| address.port() != 0);
    if address.is_none() {
        reading.mistake(at, format!("`{name}` must be an address and a port such as \"127.0.0.1:10000\""));
    }
    address
}

fn limits(reading: &mut Reading<'_>, mut table: Members<'_>) -> Limits {
    let default = Limits::default();
    let first_event_timeout = table.duration(reading, "first_event_timeout").unwrap_or(default.first_event_timeout);
    let read = Limits {
        max_body_bytes: table.number(reading, "max_body_bytes", 1024, 1 << 30).unwrap_or(default.max_body_bytes),
        first_event_timeout,
        thinking_timeout: table.duration(reading, "thinking_timeout").unwrap_or(default.thinking_timeout),
        between_events_timeout: table.duration(reading, "between_events_timeout").unwrap_or(first_event_timeout),
        connect_timeout: table.duration(reading, "connect_timeout").unwrap_or(default.connect_timeout),
        stream_idle_timeout: table.duration(reading, "stream_idle_timeout").unwrap_or(default.stream_idle_timeout),
        max_connections: table.number(reading, "max_connections", 1, 1_000_000).unwrap_or(default.max_connections),
        max_heap_bytes: table.number(reading, "max_heap_bytes", 64 << 20, 1 << 44).unwrap_or(default.max_heap_bytes),
    };
    table.end(reading);
    read
}

fn envoy(reading: &mut Reading<'_>, mut table: Members<'_>) -> EnvoySettings {
    let mut path = |reading: &mut Reading<'_>, name| table.string(reading, name).map(|path| PathBuf::from(path.value));
    let program = path(reading, "program");
    let wasm = path(reading, "wasm");
    let ca_file = path(reading, "ca_file");
    let concurrency = table.number(reading, "concurrency", 1, 1024);
    let control_address = table.string(reading, "control_address");
    if let Some(address) = control_address.as_ref().filter(|address| split_address(&address.value).is_none()) {
        reading.mistake(address.at, "`control_address` is host:port, for instance \"control-plane:10001\"");
    }
    table.end(reading);
    EnvoySettings { program, wasm, concurrency, ca_file, control_address: control_address.map(|placed| placed.value) }
}

/// The host and the port of `host:port`.
pub(crate) fn split_address(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then_some((host, port))
}

fn networks(reading: &mut Reading<'_>, members: &mut Members<'_>) -> Vec<crate::screen::Network> {
    let mut networks = Vec::new();
    for text in members.strings(reading, "allow_networks").unwrap_or_default() {
        match text.value.parse() {
            Ok(network) => networks.push(network),
            Err(_) => reading.mistake(text.at, "a network is written like \"10.0.0.0/8\" or \"fd00::/8\""),
        }
    }
    networks
}

/// Names within the file are unique; names of other rows are checked against the catalogue when the two are joined.
fn check_names(reading: &mut Reading<'_>, file: &File) {
    let mut seen = HashSet::new();
    for row in file.providers.iter().filter(|row| !row.id.is_empty() && !seen.insert(row.id.as_str())) {
        reading.mistake(row.at, format!("provider `{}` is listed twice; put everything into one row", row.id));
    }
    let mut seen = HashSet::new();
    let routes = file.routes.iter().map(|row| &row.name).filter(|name| !name.value.is_empty());
    for name in routes.chain(file.aliases.iter().map(|(name, _)| name)) {
        if !seen.insert(name.value.as_str()) {
            reading.mistake(name.at, format!("`{}` is already the name of a route or an alias", name.value));
        }
    }
}

/// Offers name providers, candidates and aliases name something that can be asked.
fn check_references(reading: &mut Reading<'_>, file: &File, shipped: &Known) {
    let shipped = if file.catalog.unwrap_or(true) { shipped } else { &Known::default() };
    let mut known = shipped.clone();
    known.add(file);
    for model in &file.models {
        for (provider, _, at) in model.offers.iter().filter(|(provider, _, _)| !known.providers.contains(provider)) {
            reading.mistake(*at, unknown_provider(provider, &known));
        }
    }
    for provider in &file.providers {
        for name in provider.mentions.iter().filter(|name| !known.has_variable(&provider.id, &name.value)) {
            let mistake =
                format!("`{{{0}}}` is no variable of {1}; say what it is in `variables`", name.value, provider.id);
            reading.mistake(name.at, mistake);
        }
    }
    for (name, place) in route::mentions(file) {
        check_name(reading, place, name, &known);
    }
    identity::check(reading, &file.identities);
    experiment::check(reading, file, &known);
    route::check_cycles(reading, file, &known);
    rule::check(reading, file, &known);
    price::check(reading, &file.prices, &known);
}

fn check_name(reading: &mut Reading<'_>, at: usize, name: &str, known: &Known) {
    if known.has(name) {
        return;
    }
    match name.split_once('/') {
        Some((provider, _)) => reading.mistake(at, unknown_provider(provider, known)),
        None => {
            reading.mistake(at, format!("no model is called `{name}`; add a [[model]] or write \"provider/model\""))
        }
    }
}

fn unknown_provider(name: &str, known: &Known) -> String {
    let named = |id: &&String| !id.is_empty();
    let list: Vec<&str> = known.providers.iter().filter(named).map(String::as_str).collect();
    format!("no provider is called `{name}`; add a [[provider]], or use one of: {}", list.join(", "))
}
