//! The Snapshot as JSON, in both directions.

mod choice;
mod experiment;
mod identity;
mod patience;
mod price;
mod route;

use std::sync::Arc;

use super::{Family, MAX_SNAPSHOT, Silence, Snapshot};
use crate::admission::Budget;
use crate::catalog::{
    Abilities, DialectId, Dispatch, Operation, Origin, Passthrough, Paths, Provider, Service, Target, ThinkingStyle,
};
use crate::health::Settings;
use crate::json::{Json, Writer};
use crate::rule::Rule;

pub(super) fn write(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Writer::with_capacity(4096);
    out.object(|out| {
        out.field("version").number(snapshot.version);
        out.field("providers").array(|out| snapshot.providers.iter().for_each(|row| write_provider(row, out)));
        out.field("targets").array(|out| snapshot.targets.iter().for_each(|row| write_target(row, out)));
        out.field("routes").array(|out| snapshot.routes.iter().for_each(|row| route::write(row, out)));
        out.field("families").array(|out| {
            for family in &snapshot.families {
                out.object(|out| {
                    out.field("prefix").string(&family.prefix);
                    out.field("provider").number(family.provider as u64);
                });
            }
        });
        if !snapshot.withheld.is_empty() {
            out.field("withheld").strings(&snapshot.withheld);
        }
        if !snapshot.rules.is_empty() {
            // A rule is read from JSON, and stays as it was read.
            out.field("rules")
                .array(|out| snapshot.rules.iter().for_each(|rule| out.raw(Json::trusted(rule.document()))));
        }
        if !snapshot.identities.is_empty() {
            out.field("identities").array(|out| snapshot.identities.iter().for_each(|row| identity::write(row, out)));
        }
        if !snapshot.experiments.is_empty() {
            let all = &snapshot.experiments;
            out.field("experiments").array(|out| all.iter().for_each(|row| experiment::write(row, out)));
        }
        if snapshot.health != Settings::USUAL {
            snapshot.health.write(out.field("health"));
        }
        if snapshot.silence != Silence::USUAL {
            patience::write_silence(&snapshot.silence, out.field("silence"));
        }
    });
    out.into_bytes()
}

fn write_provider(row: &Provider, out: &mut Writer) {
    out.object(|out| {
        out.field("id").string(&row.id);
        out.field("cluster").string(&row.cluster);
        out.field("tls").bool(row.origin.tls);
        out.field("host").string(&row.origin.host);
        out.field("port").number(u64::from(row.origin.port));
        out.field("base").string(&row.origin.base);
        out.field("services").array(|out| {
            for service in &row.services {
                out.object(|out| {
                    out.field("dialect").string(service.dialect.name());
                    out.field("prefix").string(&service.prefix);
                    out.field("operations").strings(service.operations.iter().map(|operation| operation.name()));
                    if let Some(paths) = &service.paths {
                        out.field("path").string(&paths.whole);
                        out.field("stream_path").string(&paths.streamed);
                    }
                });
            }
        });
        out.field("credential").string(&row.credential);
        if row.own_only {
            out.field("own_only").bool(true);
        }
        if !row.passthrough.prefixes.is_empty() {
            out.field("passthrough").strings(&row.passthrough.prefixes);
        }
        if !row.passthrough.issuers.is_empty() {
            out.field("passthrough_issuers").strings(&row.passthrough.issuers);
        }
        out.field("headers").array(|out| row.headers.iter().for_each(|pair| write_pair(pair, out)));
        out.field("omit").strings(&row.omit);
        out.field("rename").array(|out| row.rename.iter().for_each(|pair| write_pair(pair, out)));
        out.field("set").array(|out| row.set.iter().for_each(|pair| write_pair(pair, out)));
        price::write(&row.price, out.field("price"));
        write_rate_limits(&row.rate_limits, out);
        if row.dispatch != Dispatch::default() {
            out.field("dispatch").string(row.dispatch.name());
        }
        if let Some(share) = row.share {
            out.field("share").number(u64::from(share));
        }
        if !row.region.is_empty() {
            out.field("region").string(&row.region);
        }
        if !row.data_policy.is_empty() {
            out.field("data_policy").strings(&row.data_policy);
        }
    });
}

fn write_pair((one, two): &(String, String), out: &mut Writer) {
    out.array(|out| {
        out.string(one);
        out.string(two);
    });
}

fn write_target(row: &Target, out: &mut Writer) {
    out.object(|out| {
        out.field("id").string(&row.id);
        out.field("provider").number(row.provider as u64);
        out.field("model").string(&row.model);
        out.field("output_limit").number(row.output_limit);
        out.field("context_window").number(row.context_window);
        out.field("abilities").strings(row.abilities.names());
        out.field("thinking").string(row.thinking.name());
        out.field("unsigned").string(&row.unsigned);
        price::write(&row.price, out.field("price"));
        write_rate_limits(&row.rate_limits, out);
        if !row.judged_as.is_empty() {
            out.field("judged_as").string(&row.judged_as);
        }
        if let Some(quality) = row.quality {
            out.field("quality").number(u64::from(quality));
        }
    });
}

fn write_rate_limits(limits: &[Budget], out: &mut Writer) {
    if !limits.is_empty() {
        out.field("rate_limits").strings(limits.iter().map(|limit| &limit.id));
    }
}

pub(super) fn read(document: &[u8]) -> Result<Snapshot, Vec<String>> {
    if document.len() > MAX_SNAPSHOT {
        return Err(vec![format!("snapshot: larger than {MAX_SNAPSHOT} bytes")]);
    }
    let json = Json::parse(document).map_err(|error| vec![format!("snapshot: {error}")])?;
    let mut mistakes = Vec::new();
    let version = json.get("version").and_then(Json::u64).unwrap_or(0);
    if version == 0 {
        mistakes.push("snapshot: has no version".to_string());
    }
    let providers = rows(json, "providers", read_provider, &mut mistakes);
    let targets = rows(json, "targets", read_target, &mut mistakes);
    let routes = rows(json, "routes", route::read, &mut mistakes);
    let families = rows(json, "families", read_family, &mut mistakes);
    let rules = read_rules(json, &mut mistakes);
    // Older documents have neither.
    let identities = json.get("identities").map(|_| rows(json, "identities", identity::read, &mut mistakes));
    let experiments = json.get("experiments").map(|_| rows(json, "experiments", experiment::read, &mut mistakes));
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let withheld = json.get("withheld").into_iter().flat_map(Json::items).filter_map(Json::string).collect();
    let health = json.get("health").map_or(Settings::USUAL, Settings::read);
    let silence = json.get("silence").map_or(Silence::USUAL, patience::read_silence);
    let (identities, experiments) = (identities.unwrap_or_default(), experiments.unwrap_or_default());
    let snapshot = Snapshot::new(version, providers, targets, routes, families)?;
    Snapshot { withheld, identities, experiments, health, silence, ..snapshot }.with_rules(rules)
}

/// The rules, which older control planes do not know of.
fn read_rules(json: Json<'_>, mistakes: &mut Vec<String>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (place, row) in json.get("rules").into_iter().flat_map(Json::items).enumerate() {
        match Rule::read(row) {
            Ok(rule) => rules.push(rule),
            Err(wrong) => mistakes.extend(wrong.iter().map(|wrong| format!("rules[{place}]: {wrong}"))),
        }
    }
    rules
}

/// Reads each row of a list; a row that lacks something is a mistake with its place.
fn rows<T>(json: Json<'_>, list: &str, read: fn(Json<'_>) -> Option<T>, mistakes: &mut Vec<String>) -> Vec<T> {
    let Some(items) = json.get(list) else {
        mistakes.push(format!("snapshot: has no {list}"));
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (place, item) in items.items().enumerate() {
        match read(item) {
            Some(row) => rows.push(row),
            None => mistakes.push(format!("{list}[{place}]: a member is missing or has the wrong type")),
        }
    }
    rows
}

fn read_provider(row: Json<'_>) -> Option<Provider> {
    Some(Provider {
        id: row.get("id").and_then(Json::string)?,
        cluster: row.get("cluster").and_then(Json::string)?,
        origin: Origin {
            tls: row.get("tls")?.bool()?,
            host: row.get("host").and_then(Json::string)?,
            port: u16::try_from(row.get("port")?.u64()?).ok()?,
            base: row.get("base").and_then(Json::string)?,
        },
        services: row.get("services")?.items().map(read_service).collect::<Option<_>>()?,
        credential: row.get("credential").and_then(Json::string)?,
        own_only: row.get("own_only").and_then(Json::bool).unwrap_or(false),
        passthrough: Passthrough {
            prefixes: strings_of(row, "passthrough")?,
            issuers: strings_of(row, "passthrough_issuers")?,
        },
        headers: row.get("headers")?.items().map(read_pair).collect::<Option<_>>()?,
        omit: row.get("omit")?.items().map(Json::string).collect::<Option<_>>()?,
        rename: row.get("rename")?.items().map(read_pair).collect::<Option<_>>()?,
        set: row.get("set")?.items().map(read_pair).collect::<Option<Vec<_>>>().filter(|set| all_json(set))?,
        price: price::read(row.get("price")?)?,
        rate_limits: read_rate_limits(row)?,
        dispatch: row.get("dispatch").map_or(Some(Dispatch::default()), |name| Dispatch::named(&name.string()?))?,
        share: match row.get("share") {
            Some(share) => Some(share.u64().and_then(|share| u8::try_from(share).ok()).filter(|share| *share <= 100)?),
            None => None,
        },
        region: row.get("region").map_or(Some(String::new()), Json::string)?,
        data_policy: strings_of(row, "data_policy")?,
    })
}

/// A list of strings, which older documents do not have.
fn strings_of(row: Json<'_>, name: &str) -> Option<Vec<String>> {
    row.get(name).into_iter().flat_map(Json::items).map(Json::string).collect()
}

fn read_service(row: Json<'_>) -> Option<Service> {
    let operation = |name: Json<'_>| name.string().and_then(|name| Operation::named(&name));
    let paths = match (row.get("path"), row.get("stream_path")) {
        (None, None) => None,
        (whole, streamed) => Some(Paths { whole: whole?.string()?, streamed: streamed?.string()? }),
    };
    Some(Service {
        dialect: DialectId::named(&row.get("dialect").and_then(Json::string)?)?,
        prefix: row.get("prefix").and_then(Json::string)?,
        operations: row.get("operations")?.items().map(operation).collect::<Option<_>>()?,
        paths,
    })
}

/// Whether every second one is JSON: it will stand in request bodies.
fn all_json(pairs: &[(String, String)]) -> bool {
    pairs.iter().all(|(_, value)| Json::parse(value.as_bytes()).is_ok())
}

fn read_pair(row: Json<'_>) -> Option<(String, String)> {
    let mut items = row.items();
    Some((items.next()?.string()?, items.next()?.string()?))
}

fn read_target(row: Json<'_>) -> Option<Target> {
    Some(Target {
        id: row.get("id").and_then(Json::string)?,
        provider: index(row.get("provider")?)?,
        model: row.get("model").and_then(Json::string)?,
        output_limit: row.get("output_limit")?.u64()?,
        context_window: row.get("context_window")?.u64()?,
        abilities: row
            .get("abilities")?
            .items()
            .map(ability)
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .fold(Abilities::NONE, Abilities::and),
        thinking: ThinkingStyle::named(&row.get("thinking").and_then(Json::string)?)?,
        unsigned: row.get("unsigned").and_then(Json::string)?,
        price: price::read(row.get("price")?)?,
        rate_limits: read_rate_limits(row)?,
        judged_as: row.get("judged_as").map_or(Some(String::new()), Json::string)?,
        quality: match row.get("quality") {
            Some(quality) => Some(quality.u64().and_then(|quality| u16::try_from(quality).ok())?),
            None => None,
        },
    })
}

fn read_rate_limits(row: Json<'_>) -> Option<Arc<[Budget]>> {
    let limit = |id: Json<'_>| Budget::of_target(&id.string()?);
    row.get("rate_limits").into_iter().flat_map(Json::items).map(limit).collect()
}

fn ability(name: Json<'_>) -> Option<Abilities> {
    Abilities::named(&name.string()?)
}

fn read_family(row: Json<'_>) -> Option<Family> {
    Some(Family { prefix: row.get("prefix").and_then(Json::string)?, provider: index(row.get("provider")?)? })
}

fn index(value: Json<'_>) -> Option<usize> {
    value.u64().and_then(|number| usize::try_from(number).ok())
}
