//! The preferences there are, and several of them.

/// One thing that a caller may prefer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// The most that a target may take.
    MaxPrice,
    /// The fewest tokens a second.
    MinThroughput,
    /// Where the provider is.
    Regions,
    /// What the provider promises to do with data.
    DataPolicy,
    /// Who is asked before others.
    Order,
    /// Who alone is asked.
    Only,
    /// Who is not asked.
    Not,
    /// How much quality counts against cost.
    Alpha,
    /// Which bucket the request belongs to.
    Bucket,
}

impl Preference {
    /// Every preference.
    pub const ALL: [Preference; 9] = [
        Preference::MaxPrice,
        Preference::MinThroughput,
        Preference::Regions,
        Preference::DataPolicy,
        Preference::Order,
        Preference::Only,
        Preference::Not,
        Preference::Alpha,
        Preference::Bucket,
    ];

    /// Its name in requests, rows and Records.
    pub fn name(self) -> &'static str {
        match self {
            Preference::MaxPrice => "max_price",
            Preference::MinThroughput => "min_throughput",
            Preference::Regions => "regions",
            Preference::DataPolicy => "data_policy",
            Preference::Order => "order",
            Preference::Only => "only",
            Preference::Not => "not",
            Preference::Alpha => "alpha",
            Preference::Bucket => "bucket",
        }
    }

    /// The preference of that name.
    pub fn named(name: &str) -> Option<Preference> {
        Preference::ALL.into_iter().find(|which| which.name() == name)
    }

    /// The header that says it.
    pub fn header(self) -> &'static str {
        match self {
            Preference::MaxPrice => "x-dragoman-max-price",
            Preference::MinThroughput => "x-dragoman-min-throughput",
            Preference::Regions => "x-dragoman-regions",
            Preference::DataPolicy => "x-dragoman-data-policy",
            Preference::Order => "x-dragoman-order",
            Preference::Only => "x-dragoman-only",
            Preference::Not => "x-dragoman-not",
            Preference::Alpha => "x-dragoman-alpha",
            Preference::Bucket => "x-dragoman-bucket",
        }
    }
}

/// Several preferences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Several(u16);

impl Several {
    /// None of them.
    pub const NONE: Several = Several(0);
    /// All of them.
    pub const ALL: Several = Several(u16::MAX);

    /// These and that one.
    #[must_use]
    pub fn with(self, which: Preference) -> Several {
        Several(self.0 | 1 << which as u8)
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Several) -> Several {
        Several(self.0 | others.0)
    }

    /// Whether that one is among them.
    pub fn has(self, which: Preference) -> bool {
        self.0 & (1 << which as u8) != 0
    }

    /// Whether none is.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Preference::ALL.into_iter().filter(move |which| self.has(*which)).map(Preference::name)
    }
}

impl Default for Several {
    /// Nobody forbade any.
    fn default() -> Several {
        Several::ALL
    }
}
