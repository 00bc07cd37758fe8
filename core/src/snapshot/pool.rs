//! How the candidates of a route share its requests: the words of its row, which [`crate::select::balance`] puts to work.

/// How the first of a pool is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Balance {
    /// Always the first one that is fit, as they are written.
    #[default]
    InOrder,
    /// In turn, each as often as its weight says.
    Weighted,
    /// In turn, each as often as the others.
    RoundRobin,
    /// Where the fewest requests are under way, for its weight.
    LeastConnections,
    /// Who begins to answer soonest, for what is under way there.
    LeastLatency,
    /// Two by chance, and of these the one with fewer requests under way.
    Random,
    /// Whose provider says that most of its quota is left.
    RemainingQuota,
    /// Who takes the least for this request.
    Cheapest,
}

impl Balance {
    /// Every way.
    pub const ALL: [Balance; 8] = [
        Balance::InOrder,
        Balance::Weighted,
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::LeastLatency,
        Balance::Random,
        Balance::RemainingQuota,
        Balance::Cheapest,
    ];

    /// Its name in configuration and Snapshots.
    pub fn name(self) -> &'static str {
        match self {
            Balance::InOrder => "in_order",
            Balance::Weighted => "weighted",
            Balance::RoundRobin => "round_robin",
            Balance::LeastConnections => "least_connections",
            Balance::LeastLatency => "least_latency",
            Balance::Random => "random",
            Balance::RemainingQuota => "remaining_quota",
            Balance::Cheapest => "cheapest",
        }
    }

    /// The way of that name.
    pub fn named(name: &str) -> Option<Balance> {
        Balance::ALL.into_iter().find(|balance| balance.name() == name)
    }
}

/// What requests have in common that are to meet the same target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Who asks: the account, the key, and the user that the request names.
    User,
    /// How the prompt begins: the system's words and the first turn, which a provider may still remember.
    Prefix,
    /// The value of this header, in lower case.
    Header(String),
}

impl Affinity {
    /// As it is written: `user`, `prefix` or `header:x-session`.
    pub fn written(&self) -> String {
        match self {
            Affinity::User => "user".into(),
            Affinity::Prefix => "prefix".into(),
            Affinity::Header(name) => format!("header:{name}"),
        }
    }

    /// The one that is written so.
    pub fn read(text: &str) -> Option<Affinity> {
        let is_name = |name: &&str| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !name.is_empty() && name.len() <= 200 && name.bytes().all(plain)
        };
        match text {
            "user" => Some(Affinity::User),
            "prefix" => Some(Affinity::Prefix),
            _ => text.strip_prefix("header:").filter(is_name).map(|name| Affinity::Header(name.into())),
        }
    }
}

/// Where a route's requests may be answered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Regions {
    /// Nobody who is not in one of these is asked; empty when everybody may be.
    pub required: Vec<String>,
    /// Who is in one of these is asked before the others.
    pub preferred: Vec<String>,
}

impl Regions {
    /// Whether a provider of that region may be asked; empty when nobody said where it is.
    pub fn allow(&self, region: &str) -> bool {
        self.required.is_empty() || self.required.iter().any(|known| known == region)
    }

    /// Whether it is asked before others.
    pub fn prefer(&self, region: &str) -> bool {
        self.preferred.is_empty() || self.preferred.iter().any(|known| known == region)
    }
}

/// The candidates that somebody wrote down for a route, and how they share its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// How many of the route's candidates it has, from the first; those after them stand in for it.
    pub size: usize,
    /// How the first is chosen.
    pub balance: Balance,
    /// A weight for each, in their order; 1 where the list ends.
    pub weights: Vec<u64>,
    /// What requests have in common that are to meet the same one.
    pub affinity: Option<Affinity>,
    /// Over how many milliseconds one that came back gets its share again; 0 for at once.
    pub slow_start_ms: u64,
}

impl Default for Pool {
    /// All candidates, in order.
    fn default() -> Pool {
        Pool { size: usize::MAX, balance: Balance::default(), weights: Vec::new(), affinity: None, slow_start_ms: 0 }
    }
}

impl Pool {
    /// The weight of the candidate at that place; `None` when it is none of the pool's.
    pub fn weight(&self, place: usize) -> Option<u64> {
        (place < self.size).then(|| self.weights.get(place).copied().unwrap_or(1))
    }
}
