//! The kinds of rows: what a settings file lists, and what the admin API works on.

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `[[provider]]`
    Provider,
    /// `[[model]]`
    Model,
    /// `[[price]]`
    Price,
    /// `[[route]]`
    Route,
    /// One of `[aliases]`
    Alias,
    /// `[[suspension]]`
    Suspension,
    /// `[[rule]]`
    Rule,
    /// `[[identity]]`
    Identity,
    /// `[[experiment]]`
    Experiment,
}

impl Kind {
    /// Every kind, in the order in which they may name one another.
    pub const ALL: [Kind; 9] = [
        Kind::Provider,
        Kind::Model,
        Kind::Price,
        Kind::Route,
        Kind::Alias,
        Kind::Suspension,
        Kind::Rule,
        Kind::Identity,
        Kind::Experiment,
    ];

    /// Its name in files, in the store, in the audit log and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Provider => "provider",
            Kind::Model => "model",
            Kind::Price => "price",
            Kind::Route => "route",
            Kind::Alias => "alias",
            Kind::Suspension => "suspension",
            Kind::Rule => "rule",
            Kind::Identity => "identity",
            Kind::Experiment => "experiment",
        }
    }

    /// The plural of its name, in the paths of the admin API.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Provider => "providers",
            Kind::Model => "models",
            Kind::Price => "prices",
            Kind::Route => "routes",
            Kind::Alias => "aliases",
            Kind::Suspension => "suspensions",
            Kind::Rule => "rules",
            Kind::Identity => "identities",
            Kind::Experiment => "experiments",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The member that names a row among its kind; an alias is a key and has none.
    pub fn identity(self) -> &'static str {
        match self {
            Kind::Provider => "id",
            Kind::Model | Kind::Route | Kind::Alias | Kind::Rule | Kind::Identity | Kind::Experiment => "name",
            Kind::Price | Kind::Suspension => "target",
        }
    }

    /// Whether a row changes the members that it names of another one below it, or stands in its place.
    pub fn is_joined(self) -> bool {
        matches!(self, Kind::Provider | Kind::Model)
    }
}
