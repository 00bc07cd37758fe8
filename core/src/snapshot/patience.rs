//! For how long a route's requests are worth waiting, and who else is asked when a target cannot answer, or will not.

/// The words of a route's row about it; what it leaves out is as for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Patience {
    /// What follows when a target's policy forbids the content.
    pub on_content_policy: OnContentPolicy,
    /// Longest wait for a target's first event, in milliseconds.
    pub first_event_ms: Option<u64>,
    /// Longest silence between two events, in milliseconds.
    pub between_events_ms: Option<u64>,
    /// How long a request waits until somebody may be asked; it does not when nothing is said.
    pub wait: Option<Wait>,
    /// Whether another target is asked beside one that is slow; it is not when nothing is said.
    pub hedge: Option<Hedge>,
}

/// When another target is asked beside one that is slow, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// When.
    pub after: HedgeAfter,
    /// Of so many of a hundred requests, at most.
    pub share: u64,
}

impl Hedge {
    /// How many are hedged when nobody says it.
    pub const SHARE: u64 = 5;
}

/// When a target is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeAfter {
    /// When it takes longer to begin than nineteen of its last twenty.
    Slowest,
    /// After so many milliseconds.
    Time(u64),
}

/// How requests wait when nobody may be asked right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// So many milliseconds, at most.
    pub at_most_ms: u64,
    /// So many of them in one worker, at most.
    pub queue: u64,
}

impl Wait {
    /// How many wait at most when nobody says it.
    pub const QUEUE: u64 = 100;
}

/// Longest silence of a target, in milliseconds, where no route says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Before its first event.
    pub first_event_ms: u64,
    /// The same where thought is asked of a model that thinks.
    pub thinking_ms: u64,
    /// Between two events.
    pub between_events_ms: u64,
}

impl Silence {
    /// What holds when nobody says anything.
    pub const USUAL: Silence = Silence { first_event_ms: 60_000, thinking_ms: 300_000, between_events_ms: 60_000 };
}

impl Default for Silence {
    fn default() -> Silence {
        Silence::USUAL
    }
}

/// What follows when a target's policy forbids the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnContentPolicy {
    /// The client is told.
    #[default]
    Refuse,
    /// The next target is asked, whose policy may be another.
    Fallback,
}

impl OnContentPolicy {
    /// Every way.
    pub const ALL: [OnContentPolicy; 2] = [OnContentPolicy::Refuse, OnContentPolicy::Fallback];

    /// Its name in configuration and Snapshots.
    pub fn name(self) -> &'static str {
        match self {
            OnContentPolicy::Refuse => "refuse",
            OnContentPolicy::Fallback => "fallback",
        }
    }

    /// The way of that name.
    pub fn named(name: &str) -> Option<OnContentPolicy> {
        OnContentPolicy::ALL.into_iter().find(|way| way.name() == name)
    }
}
