//! When a provider is asked.

/// When a provider is asked, of those that could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dispatch {
    /// Never, not even by its name.
    Off,
    /// Before all others: while one such can answer, nobody else is asked.
    Exclusive,
    /// In turn with the others.
    #[default]
    Pooled,
    /// After all others.
    Fallback,
}

impl Dispatch {
    /// Every mode.
    pub const ALL: [Dispatch; 4] = [Dispatch::Off, Dispatch::Exclusive, Dispatch::Pooled, Dispatch::Fallback];

    /// Its name in configuration and Snapshots.
    pub fn name(self) -> &'static str {
        match self {
            Dispatch::Off => "off",
            Dispatch::Exclusive => "exclusive",
            Dispatch::Pooled => "pooled",
            Dispatch::Fallback => "fallback",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Dispatch> {
        Dispatch::ALL.into_iter().find(|mode| mode.name() == name)
    }
}
