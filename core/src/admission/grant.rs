//! The Grant as a document.

use core::net::IpAddr;
use std::sync::Arc;

use super::{Budget, Network};
use crate::json::{Json, Writer};

/// What one level (a key, a user, … a tenant) lets a caller use; `None` is no limit. A name that ends with `*` stands for all
/// that begin like it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Scope {
    /// Names that may be asked for.
    pub routes: Option<Vec<String>>,
    /// Models that may answer: `provider/model`, or the model as its provider knows it.
    pub models: Option<Vec<String>>,
    /// Providers that may answer.
    pub providers: Option<Vec<String>>,
    /// Networks that it may come from.
    pub networks: Option<Vec<Network>>,
}

/// What the control plane lets a caller do now.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Grant {
    /// The caller's id, as Records name it.
    pub caller: String,
    /// The account that pays, by its path from the tenant; empty when none does.
    pub account: String,
    /// What may be used: one for each level that limits anything. All of them hold.
    pub scopes: Vec<Scope>,
    /// What may be spent: the budgets of all levels. All of them hold.
    pub budgets: Arc<[Budget]>,
    /// The number of the last change of the store when it was made; 0 when nobody said.
    pub revision: u64,
    /// Providers for which the account, or the nearest above it, has a credential of its own: the gateway's is not used there.
    pub own: Vec<String>,
}

impl Grant {
    /// Whether the caller may ask for `route`.
    pub fn allows(&self, route: &str) -> bool {
        self.scopes.iter().all(|scope| listed(scope.routes.as_deref(), |name| matches(name, route)))
    }

    /// Whether the caller may ask for anything at all, also for what names no model.
    pub fn allows_every_route(&self) -> bool {
        let unlimited = |scope: &Scope| scope.routes.is_none() && scope.models.is_none();
        self.scopes.iter().all(unlimited)
    }

    /// Whether a target (`provider/model`) may answer the caller.
    pub fn allows_target(&self, id: &str) -> bool {
        let (provider, model) = id.split_once('/').unwrap_or((id, ""));
        self.scopes.iter().all(|scope| {
            listed(scope.providers.as_deref(), |name| matches(name, provider))
                && listed(scope.models.as_deref(), |name| matches(name, id) || matches(name, model))
        })
    }

    /// Whether it matters where the caller comes from.
    pub fn is_bound_to_networks(&self) -> bool {
        self.scopes.iter().any(|scope| scope.networks.is_some())
    }

    /// Whether the caller may come from there; one whose address nobody knows comes from nowhere.
    pub fn allows_source(&self, source: Option<IpAddr>) -> bool {
        let inside = |network: &Network| source.is_some_and(|address| network.has(address));
        self.scopes.iter().all(|scope| listed(scope.networks.as_deref(), inside))
    }

    /// The Grant of a document; `None` when it is not one.
    pub fn read(document: &[u8]) -> Option<Grant> {
        let json = Json::parse(document).ok()?;
        let rows = |name: &str| json.get(name).into_iter().flat_map(Json::items);
        Some(Grant {
            caller: json.get("caller").and_then(Json::string)?,
            account: json.get("account").and_then(Json::string).unwrap_or_default(),
            scopes: rows("scopes").map(read_scope).collect::<Option<_>>()?,
            budgets: rows("budgets").map(Budget::read).collect::<Option<_>>()?,
            own: rows("own").map(Json::string).collect::<Option<_>>()?,
            revision: json.get("revision").map_or(Some(0), Json::u64)?,
        })
    }

    /// The document of this Grant.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.object(|out| {
            out.field("caller").string(&self.caller);
            if !self.account.is_empty() {
                out.field("account").string(&self.account);
            }
            if !self.scopes.is_empty() {
                out.field("scopes").array(|out| self.scopes.iter().for_each(|scope| write_scope(scope, out)));
            }
            if !self.budgets.is_empty() {
                out.field("budgets").array(|out| self.budgets.iter().for_each(|budget| budget.write(out)));
            }
            if !self.own.is_empty() {
                out.field("own").strings(&self.own);
            }
            if self.revision > 0 {
                out.field("revision").number(self.revision);
            }
        });
        out.into_bytes()
    }
}

fn listed<T>(list: Option<&[T]>, is: impl Fn(&T) -> bool) -> bool {
    list.is_none_or(|list| list.iter().any(is))
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

fn read_scope(row: Json<'_>) -> Option<Scope> {
    let names = |name: &str| match row.get(name) {
        Some(list) => list.items().map(Json::string).collect::<Option<Vec<String>>>().map(Some),
        None => Some(None),
    };
    let networks = names("networks")?;
    let networks = networks.map(|list| list.iter().map(|text| Network::read(text)).collect::<Option<_>>());
    Some(Scope {
        routes: names("routes")?,
        models: names("models")?,
        providers: names("providers")?,
        networks: match networks {
            Some(list) => Some(list?),
            None => None,
        },
    })
}

fn write_scope(scope: &Scope, out: &mut Writer) {
    out.object(|out| {
        for (name, list) in [("routes", &scope.routes), ("models", &scope.models), ("providers", &scope.providers)] {
            if let Some(list) = list {
                out.field(name).strings(list);
            }
        }
        if let Some(list) = &scope.networks {
            out.field("networks").strings(list.iter().map(Network::to_string));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::{AtLimit, Away, Mode, Unit};
    use super::*;

    fn of(scopes: Vec<Scope>) -> Grant {
        Grant { caller: "key_1".into(), account: "acme.search".into(), scopes, ..Grant::default() }
    }

    fn names(list: &[&str]) -> Option<Vec<String>> {
        Some(list.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_grant_reads_back_as_written() {
        let networks = Some(vec![Network::read("10.0.0.0/8").unwrap(), Network::read("::1").unwrap()]);
        let scope = Scope { routes: names(&["auto", "m\""]), models: names(&[]), networks, ..Scope::default() };
        let budgets = [
            Budget::of("acme", Unit::Usd, "month"),
            Budget { mode: Mode::Strict, at_limit: AtLimit::Warn, ..Budget::of("acme.search", Unit::Tokens, "day") },
            Budget {
                at_limit: AtLimit::Downgrade("cheap".into()),
                away: Away::Open(7),
                ..Budget::of("key_1", Unit::Concurrent, "total")
            },
        ];
        for grant in [
            Grant { caller: "k".into(), ..Grant::default() },
            Grant {
                budgets: budgets.into(),
                revision: 7,
                ..of(vec![scope, Scope { providers: names(&["p"]), ..Scope::default() }])
            },
        ] {
            assert_eq!(Grant::read(&grant.write()), Some(grant));
        }
    }

    #[test]
    fn every_level_must_allow_it_and_a_star_stands_for_the_rest() {
        let grant = of(vec![
            Scope { routes: names(&["auto", "mini-*"]), ..Scope::default() },
            Scope {
                routes: names(&["mini-*"]),
                providers: names(&["p"]),
                models: names(&["p/a", "b"]),
                ..Scope::default()
            },
        ]);
        for (route, allowed) in [("mini-1", true), ("auto", false), ("other", false)] {
            assert_eq!(grant.allows(route), allowed, "{route}");
        }
        for (target, allowed) in [("p/a", true), ("p/b", true), ("p/c", false), ("q/a", false), ("q/b", false)] {
            assert_eq!(grant.allows_target(target), allowed, "{target}");
        }
        assert!(of(vec![]).allows("m") && of(vec![]).allows_target("p/m") && of(vec![]).allows_every_route());
        assert!(!of(vec![Scope { routes: names(&[]), ..Scope::default() }]).allows("m"));
    }

    #[test]
    fn whoever_is_bound_to_a_network_must_be_known_to_come_from_it() {
        let networks = Some(vec![Network::read("10.0.0.0/8").unwrap()]);
        let grant = of(vec![Scope { networks, ..Scope::default() }]);
        assert!(grant.is_bound_to_networks() && grant.allows_source("10.1.1.1".parse().ok()));
        assert!(!grant.allows_source("192.0.2.1".parse().ok()) && !grant.allows_source(None));
        assert!(of(vec![]).allows_source(None) && !of(vec![]).is_bound_to_networks());
    }
}
