//! The shipped rows, joined with the operator's: who can be asked, and what for.
//!
//! Both are written in the same words (`catalog/*.toml` and `dragoman.toml`) and read by the same code. A provider takes
//! part when it is enabled and its key is found; a row of the operator changes the members it names.

use std::collections::HashMap;

use dragoman_core::catalog::{DialectId, Origin, Service};

use crate::settings::{Auth, File, Known, Mistakes, ModelRow, ProviderRow, Secret};

const PROVIDERS: &str = include_str!("../catalog/providers.toml");
const MODELS: &str = include_str!("../catalog/models.toml");

/// The id of the demo's provider.
pub const DEMO: &str = "demo";
/// The id of the provider that is always registered: whatever listens beside us.
pub const LOCAL: &str = "local";

/// A look at the environment; tests bring their own.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A provider that can be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub origin: Origin,
    /// The dialects it serves, the preferred one first.
    pub services: Vec<Service>,
    /// Its credential header, name and value; `None` when it needs none.
    pub credential: Option<(String, Secret)>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// Members it refuses.
    pub omit: Vec<String>,
    /// Members it calls otherwise.
    pub rename: Vec<(String, String)>,
    /// Prefixes of names that are its own.
    pub families: Vec<String>,
    /// Whether plain text speaks HTTP/2.
    pub http2: bool,
}

impl Registered {
    /// The name of its cluster in Envoy.
    pub fn cluster(&self) -> String {
        format!("provider_{}", self.id)
    }

    /// The built-in demo, listening at `origin`.
    pub fn demo(origin: Origin) -> Registered {
        Registered {
            id: DEMO.into(),
            origin,
            services: vec![Service { dialect: DialectId::ChatCompletions, prefix: String::new() }],
            credential: None,
            headers: Vec::new(),
            omit: Vec::new(),
            rename: Vec::new(),
            families: vec![String::new()],
            http2: false,
        }
    }
}

/// Everything that can be asked now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Providers, the operator's first.
    pub providers: Vec<Registered>,
    /// Models; offers of providers that are not registered are left out when publishing.
    pub models: Vec<ModelRow>,
    /// What the operator should know: providers without a key, routes that lead nowhere.
    pub warnings: Vec<String>,
}

impl Catalog {
    /// Joins the shipped rows with the operator's file. An error can only be in the shipped rows.
    pub fn join(file: &File, environment: Environment<'_>) -> anyhow::Result<Catalog> {
        let (mut providers, shipped_models) = match file.catalog.unwrap_or(true) {
            true => shipped()?,
            false => (Vec::new(), Vec::new()),
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
        let mut catalog = Catalog { models: join_models(shipped_models, file), ..Catalog::default() };
        for row in providers.iter().filter(|row| row.enabled != Some(false)) {
            let register = register(row, environment);
            match register {
                Ok(registered) => catalog.providers.push(registered),
                Err(why) if own.contains(&row.id) => catalog.warnings.push(format!("provider {}: {why}", row.id)),
                // A shipped provider without a key is not missing: it was not asked for.
                Err(_) => {}
            }
        }
        Ok(catalog)
    }

    /// Whether anybody was set up on purpose: a key in the environment, or a row in the file.
    pub fn is_configured(&self) -> bool {
        self.providers.iter().any(|provider| provider.id != LOCAL && provider.id != DEMO)
    }
}

/// The shipped rows.
fn shipped() -> Result<(Vec<ProviderRow>, Vec<ModelRow>), Mistakes> {
    let providers = File::read("providers.toml", PROVIDERS, &Known::default())?;
    let mut known = Known::default();
    known.add(&providers);
    Ok((providers.providers, File::read("models.toml", MODELS, &known)?.models))
}

/// What a settings file may name without defining it.
pub fn known() -> Result<Known, Mistakes> {
    let (providers, models) = shipped()?;
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
    take(&mut shipped.enabled, &row.enabled);
    take(&mut shipped.base_url, &row.base_url);
    take(&mut shipped.services, &row.services);
    take(&mut shipped.api_key, &row.api_key);
    take(&mut shipped.auth, &row.auth);
    take(&mut shipped.headers, &row.headers);
    take(&mut shipped.omit, &row.omit);
    take(&mut shipped.rename, &row.rename);
    take(&mut shipped.families, &row.families);
    take(&mut shipped.models, &row.models);
    take(&mut shipped.http2, &row.http2);
}

fn join_models(shipped: Vec<ModelRow>, file: &File) -> Vec<ModelRow> {
    let mut models = shipped;
    let mut place: HashMap<String, usize> = models.iter().enumerate().map(|(at, row)| (row.name.clone(), at)).collect();
    for row in &file.models {
        match place.get(&row.name).and_then(|at| models.get_mut(*at)) {
            Some(known) => {
                known.context_window = row.context_window.or(known.context_window);
                known.output_limit = row.output_limit.or(known.output_limit);
                if !row.offers.is_empty() {
                    known.offers.clone_from(&row.offers);
                }
            }
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

/// The provider as it can be asked, or why it can't.
fn register(row: &ProviderRow, environment: Environment<'_>) -> Result<Registered, String> {
    let credential = match &row.api_key {
        None => None,
        Some(reference) => {
            let none = || format!("unavailable, for {} is not set", reference.env.join(" or "));
            let key = reference.resolve(environment).ok_or_else(none)?;
            let auth = row.auth.clone().unwrap_or_default();
            Some((auth.header.clone(), Secret::new(header_value(&auth, &key))))
        }
    };
    Ok(Registered {
        id: row.id.clone(),
        origin: origin(row, environment)?,
        services: match row.services.clone() {
            Some(services) => services,
            None => vec![Service { dialect: DialectId::ChatCompletions, prefix: String::new() }],
        },
        credential,
        headers: row.headers.clone().unwrap_or_default(),
        omit: row.omit.clone().unwrap_or_default(),
        rename: row.rename.clone().unwrap_or_default(),
        families: row.families.clone().unwrap_or_default(),
        http2: row.http2.unwrap_or(false),
    })
}

fn header_value(auth: &Auth, key: &Secret) -> String {
    format!("{}{}{}", auth.before, key.expose(), auth.after)
}

fn origin(row: &ProviderRow, environment: Environment<'_>) -> Result<Origin, String> {
    let base = row.base_url.as_ref().ok_or("unavailable, for it has no `base_url`")?;
    let given = base.env.as_ref().and_then(|name| environment(name).map(|value| (name, value)));
    match given.filter(|(_, value)| !value.trim().is_empty()) {
        Some((name, value)) => {
            crate::settings::origin(value.trim()).map_err(|why| format!("unavailable, for {name} is wrong: {why}"))
        }
        None => base.origin.clone().ok_or_else(|| "unavailable, for its `base_url` is not set".to_string()),
    }
}

#[cfg(test)]
mod tests;
