//! The numbers by which health is judged.

use crate::json::{Json, Writer};

/// How health is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether failures are remembered; else every request asks the same targets in the same order, each once, but for what
    /// operators say.
    pub enabled: bool,
    /// So many failures in a row open a breaker.
    pub failures: u32,
    /// So large a share of failures opens it, in percent; above 100 none does.
    pub error_percent: u64,
    /// The share is that of so long, in milliseconds.
    pub window_ms: u64,
    /// Of fewer attempts there is no share.
    pub least_attempts: u64,
    /// How long it stays open, in milliseconds.
    pub open_ms: u64,
    /// So many probes in a row close it.
    pub successes: u32,
    /// How many repeats there may be to a hundred exchanges.
    pub retry_percent: u64,
}

impl Settings {
    /// What holds where nobody says otherwise.
    pub const USUAL: Settings = Settings {
        enabled: true,
        failures: 5,
        error_percent: 50,
        window_ms: 30_000,
        least_attempts: 20,
        open_ms: 30_000,
        successes: 2,
        retry_percent: 20,
    };

    /// Writes it as a member of the Snapshot's document.
    pub fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("enabled").bool(self.enabled);
            out.field("failures").number(self.failures.into());
            out.field("error_percent").number(self.error_percent);
            out.field("window_ms").number(self.window_ms);
            out.field("least_attempts").number(self.least_attempts);
            out.field("open_ms").number(self.open_ms);
            out.field("successes").number(self.successes.into());
            out.field("retry_percent").number(self.retry_percent);
        });
    }

    /// Reads that member; what it does not say is as usual.
    pub fn read(json: Json<'_>) -> Settings {
        let usual = Settings::USUAL;
        let number = |name: &str, usual: u64| json.get(name).and_then(Json::u64).unwrap_or(usual);
        let small = |name: &str, usual: u32| u32::try_from(number(name, usual.into())).unwrap_or(u32::MAX).max(1);
        Settings {
            enabled: json.get("enabled").and_then(Json::bool).unwrap_or(usual.enabled),
            failures: small("failures", usual.failures),
            error_percent: number("error_percent", usual.error_percent),
            window_ms: number("window_ms", usual.window_ms),
            least_attempts: number("least_attempts", usual.least_attempts).max(1),
            open_ms: number("open_ms", usual.open_ms),
            successes: small("successes", usual.successes),
            retry_percent: number("retry_percent", usual.retry_percent),
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::USUAL
    }
}
