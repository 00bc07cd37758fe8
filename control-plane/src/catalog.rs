//! The shipped rows, joined with the operator's: who can be asked, and what for.
//!
//! Both are written in the same words (`catalog/*.toml` and `dragoman.toml`) and read by the same code. A provider takes
//! part when it is enabled and its key is found; a row of the operator changes the members it names.

mod proof;
mod registered;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use dragoman_core::catalog::{DialectId, Origin, Paths, Service};
use dragoman_core::price::Rates;

use crate::prices;
use crate::settings::{
    Enabled, File, Known, Mistakes, ModelRow, ModelsPath, PriceRow, ProviderRow, Said, SignIn, Variables,
};

pub use proof::Credential;
use proof::{Proof, proof};
pub use registered::Registered;

/// The shipped providers, as written.
pub(crate) const PROVIDERS: &str = include_str!("../catalog/providers.toml");
const MODELS: &str = include_str!("../catalog/models.toml");
const PRICES: &str = include_str!("../catalog/prices.toml");

/// The id of the demo's provider.
pub const DEMO: &str = "demo";
/// The id of the provider that is always registered: whatever listens beside us.
pub const LOCAL: &str = "local";

/// A look at the environment; tests bring their own.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The demo as a model, so that whoever lists the models sees that something can be asked.
pub fn demo_model() -> ModelRow {
    ModelRow { name: DEMO.into(), offers: vec![(DEMO.into(), DEMO.into(), 0)], ..ModelRow::default() }
}

/// Everything that can be asked now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Providers, the operator's first.
    pub providers: Vec<Registered>,
    /// How people sign in, by provider; also with those that nobody can ask yet.
    pub sign_ins: BTreeMap<String, SignIn>,
    /// Models; offers of providers that are not registered are left out when publishing.
    pub models: Vec<ModelRow>,
    /// Shipped prices; those of the file come before them.
    pub prices: Vec<PriceRow>,
    /// The dearest input and the dearest output of the shipped prices, whether they take part or not.
    pub dearest: Rates,
    /// Offers, as `provider/model`, that their providers no longer list.
    pub vanished: HashSet<String>,
    /// What the operator should know: providers without a key, routes that lead nowhere.
    pub warnings: Vec<String>,
}

impl Catalog {
    /// Joins the shipped rows with the operator's file. An error can only be in the shipped rows.
    pub fn join(file: &File, environment: Environment<'_>) -> anyhow::Result<Catalog> {
        let shipped = shipped()?;
        let dearest = prices::dearest(&shipped.prices);
        let Shipped { mut providers, models, prices } = match file.catalog.unwrap_or(true) {
            true => shipped,
            // The demo comes and goes by itself, and so does its price.
            false => Shipped { prices: shipped.prices.into_iter().filter(is_demo).collect(), ..Shipped::default() },
        };
        let own: Vec<String> = file.providers.iter().map(|row| row.id.clone()).collect();
        for row in &file.providers {
            match providers.iter_mut().find(|shipped| shipped.id == row.id) {
                Some(shipped) => change(shipped, row),
                None => providers.push(row.clone()),
            }
        }
        // The operator's own come first: where several serve the same name, the file's order decides.
        providers.sort_by_key(|row| own.iter().position(|id| *id == row.id).unwrap_or(own.len()));
        let models = join_models(models, file);
        let mut catalog = Catalog { models, prices, dearest, ..Catalog::default() };
        for row in providers.iter().filter(|row| is_enabled(row, environment)) {
            let sign_in =
                row.sign_in.as_ref().map(|row_sign_in| row_sign_in.resolve(&row.id, file.listen.api, environment));
            match register(row, sign_in.as_ref(), environment) {
                Ok(registered) => catalog.providers.push(registered),
                Err(why) if own.contains(&row.id) => catalog.warnings.push(format!("provider {}: {why}", row.id)),
                // A shipped provider without a key is not missing: it was not asked for.
                Err(_) => {}
            }
            catalog.sign_ins.extend(sign_in.map(|sign_in| (row.id.clone(), sign_in)));
        }
        Ok(catalog)
    }

    /// Whether anybody was set up on purpose: a key in the environment, or a row in the file.
    pub fn is_configured(&self) -> bool {
        self.providers.iter().any(|provider| provider.id != LOCAL && provider.id != DEMO)
    }
}

/// The shipped rows.
#[derive(Clone, Debug, Default)]
struct Shipped {
    providers: Vec<ProviderRow>,
    models: Vec<ModelRow>,
    prices: Vec<PriceRow>,
}

/// The shipped rows; they stay as they are, so they are read once.
fn shipped() -> Result<Shipped, Mistakes> {
    static SHIPPED: LazyLock<Result<Shipped, Mistakes>> = LazyLock::new(read_shipped);
    SHIPPED.clone()
}

fn read_shipped() -> Result<Shipped, Mistakes> {
    let providers = File::read("providers.toml", PROVIDERS, &Known::default())?;
    let mut known = Known::default();
    known.add(&providers);
    let models = File::read("models.toml", MODELS, &known)?;
    known.add(&models);
    known.providers.insert(DEMO.into());
    let prices = File::read("prices.toml", PRICES, &known)?.prices;
    Ok(Shipped { providers: providers.providers, models: models.models, prices })
}

fn is_demo(row: &PriceRow) -> bool {
    row.target.value.split_once('/').is_some_and(|(provider, _)| provider == DEMO)
}

/// The shipped rows as they are written.
pub fn shipped_rows() -> &'static Said {
    static ROWS: LazyLock<Said> = LazyLock::new(|| {
        let mut rows = Said::of(PROVIDERS);
        rows.lay(Said::of(MODELS).0);
        rows.lay(Said::of(PRICES).0);
        rows
    });
    &ROWS
}

/// What the shipped rows say of a model, by its own name or by one that a provider has for it.
pub fn described(model: &str) -> Option<ModelRow> {
    let models = shipped().ok()?.models;
    let offered = |row: &ModelRow| row.offers.iter().any(|(_, name, _)| name == model);
    models.iter().find(|row| row.name == model).or_else(|| models.iter().find(|row| offered(row))).cloned()
}

/// What a settings file may name without defining it.
pub fn known() -> Result<Known, Mistakes> {
    let Shipped { providers, models, .. } = shipped()?;
    let mut known = Known::default();
    known.add(&File { providers, models, ..File::default() });
    known.providers.insert(DEMO.into());
    Ok(known)
}

/// What `row` says replaces what `shipped` said.
fn change(shipped: &mut ProviderRow, row: &ProviderRow) {
    fn take<T: Clone>(to: &mut Option<T>, from: &Option<T>) {
        if from.is_some() {
            to.clone_from(from);
        }
    }
    // Whoever writes a row for a provider wants it, whatever else would have shown that.
    shipped.enabled = Some(row.enabled.clone().unwrap_or(Enabled::Yes));
    take(&mut shipped.base_url, &row.base_url);
    take(&mut shipped.services, &row.services);
    take(&mut shipped.api_key, &row.api_key);
    take(&mut shipped.service_account, &row.service_account);
    take(&mut shipped.auth, &row.auth);
    take(&mut shipped.own_keys, &row.own_keys);
    take(&mut shipped.signing, &row.signing);
    take(&mut shipped.headers, &row.headers);
    take(&mut shipped.omit, &row.omit);
    take(&mut shipped.rename, &row.rename);
    take(&mut shipped.set, &row.set);
    take(&mut shipped.families, &row.families);
    take(&mut shipped.models, &row.models);
    take(&mut shipped.models_path, &row.models_path);
    take(&mut shipped.rate_limits, &row.rate_limits);
    take(&mut shipped.http2, &row.http2);
    take(&mut shipped.dispatch, &row.dispatch);
    take(&mut shipped.share, &row.share);
    take(&mut shipped.region, &row.region);
    take(&mut shipped.data_policy, &row.data_policy);
    take(&mut shipped.proxy, &row.proxy);
    match (&mut shipped.sign_in, &row.sign_in) {
        (Some(sign_in), Some(other)) => sign_in.change(other),
        (sign_in, other) => take(sign_in, other),
    }
    match (&mut shipped.variables, &row.variables) {
        (Some(variables), Some(other)) => variables.change(other),
        (variables, other) => take(variables, other),
    }
}

fn join_models(shipped: Vec<ModelRow>, file: &File) -> Vec<ModelRow> {
    let mut models = shipped;
    let mut place: HashMap<String, usize> = models.iter().enumerate().map(|(at, row)| (row.name.clone(), at)).collect();
    for row in &file.models {
        match place.get(&row.name).and_then(|at| models.get_mut(*at)) {
            Some(known) => known.change(row),
            None => {
                place.insert(row.name.clone(), models.len());
                models.push(row.clone());
            }
        }
    }
    // `models = [...]` of a provider: its own offers, before those that ship, in the order of the file.
    let mut added: HashMap<&str, usize> = HashMap::new();
    for provider in &file.providers {
        for name in provider.models.iter().flatten() {
            let offer = (provider.id.clone(), name.clone(), provider.at);
            match place.get(name).and_then(|at| models.get_mut(*at)) {
                Some(known) if known.offers.iter().any(|(id, model, _)| *id == offer.0 && *model == offer.1) => {}
                Some(known) => {
                    let before = added.entry(name).or_default();
                    known.offers.insert((*before).min(known.offers.len()), offer);
                    *before += 1;
                }
                None => {
                    place.insert(name.clone(), models.len());
                    *added.entry(name).or_default() += 1;
                    models.push(ModelRow { name: name.clone(), offers: vec![offer], ..ModelRow::default() });
                }
            }
        }
    }
    models
}

/// The service of a row that names none.
fn plain_service() -> Vec<Service> {
    let dialect = DialectId::ChatCompletions;
    vec![Service { dialect, prefix: String::new(), operations: Vec::new(), paths: None }]
}

fn is_enabled(row: &ProviderRow, environment: Environment<'_>) -> bool {
    match &row.enabled {
        None | Some(Enabled::Yes) => true,
        Some(Enabled::No) => false,
        Some(Enabled::With(names)) => {
            names.iter().filter_map(|name| environment(name)).any(|value| !value.trim().is_empty())
        }
    }
}

/// The provider as it can be asked, or why it can't.
fn register(row: &ProviderRow, sign_in: Option<&SignIn>, environment: Environment<'_>) -> Result<Registered, String> {
    let variables = row.variables.clone().unwrap_or_default();
    let fill = |text: &str| variables.fill(text, environment).map_err(|why| format!("unavailable, for {why}"));
    let Proof { credential, own_only, signing } = proof(row, sign_in, environment, &variables)?;
    let services = row.services.clone().unwrap_or_else(plain_service);
    let filled = |service: Service| {
        let paths = match service.paths {
            Some(paths) => Some(Paths { whole: fill(&paths.whole)?, streamed: fill(&paths.streamed)? }),
            None => None,
        };
        Ok(Service { prefix: fill(&service.prefix)?, paths, ..service })
    };
    let origin = origin(row, environment, &variables)?;
    if row.proxy.is_some() && !origin.tls {
        return Err("unavailable, for only an https `base_url` is reached through a `proxy`".to_string());
    }
    Ok(Registered {
        id: row.id.clone(),
        origin,
        services: services.into_iter().map(filled).collect::<Result<_, String>>()?,
        credential,
        auth: row.auth.clone().unwrap_or_default(),
        own_only,
        passthrough: sign_in.map(SignIn::passthrough).unwrap_or_default(),
        signing,
        headers: row.headers.clone().unwrap_or_default(),
        omit: row.omit.clone().unwrap_or_default(),
        rename: row.rename.clone().unwrap_or_default(),
        set: row.set.clone().unwrap_or_default(),
        families: row.families.clone().unwrap_or_default(),
        models_path: match &row.models_path {
            Some(ModelsPath::At(path)) => Some(ModelsPath::At(fill(path)?)),
            other => other.clone(),
        },
        rate_limits: row.rate_limits.clone().unwrap_or_default(),
        dispatch: row.dispatch.unwrap_or_default(),
        share: row.share,
        region: row.region.as_deref().map(fill).transpose()?.unwrap_or_default(),
        data_policy: row.data_policy.clone().unwrap_or_default(),
        http2: row.http2.unwrap_or(false),
        proxy: row.proxy.clone(),
        pinned: Vec::new(),
    })
}

fn origin(row: &ProviderRow, environment: Environment<'_>, variables: &Variables) -> Result<Origin, String> {
    let base = row.base_url.as_ref().ok_or("unavailable, for it has no `base_url`")?;
    let given = base.env.as_ref().and_then(|name| environment(name).map(|value| (name, value)));
    match given.filter(|(_, value)| !value.trim().is_empty()) {
        Some((name, value)) => {
            crate::settings::origin(value.trim()).map_err(|why| format!("unavailable, for {name} is wrong: {why}"))
        }
        None => {
            let text = base.text.as_ref().ok_or("unavailable, for its `base_url` is not set")?;
            let text = variables.fill(text, environment).map_err(|why| format!("unavailable, for {why}"))?;
            crate::settings::origin(&text).map_err(|why| format!("unavailable, for its `base_url` is wrong: {why}"))
        }
    }
}

#[cfg(test)]
mod tests;
