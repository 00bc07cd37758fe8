//! `[health]`: by which numbers health is judged, whether providers are probed, and who is told.

use std::time::Duration;

use dragoman_core::health::Settings;

use super::members::{Members, Reading};
use super::provider::secret_ref;
use super::secret::SecretRef;
use crate::accounts::Webhook;

/// How often a silent provider is probed when nobody says.
const PROBES: Duration = Duration::from_secs(30);

/// `[health]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// How health is judged, by the control plane and by the filters.
    pub judged: Settings,
    /// How often a provider is probed of which nothing is heard; `None` when none is.
    pub probes: Option<Duration>,
    /// Where operators are told.
    pub webhook: Option<OperatorsWebhook>,
}

/// Where operators are told that a provider does well or badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorsWebhook {
    /// Where it is.
    pub webhook: Webhook,
    /// What is signed with.
    pub secret: SecretRef,
}

impl Default for HealthSettings {
    fn default() -> HealthSettings {
        HealthSettings { judged: Settings::USUAL, probes: Some(PROBES), webhook: None }
    }
}

impl HealthSettings {
    /// Those of a file that says nothing of it. Who does not want providers to be asked for their models does not want probes, either.
    pub(super) fn where_discovery_is(on: bool) -> HealthSettings {
        HealthSettings { probes: on.then_some(PROBES), ..HealthSettings::default() }
    }
}

/// Reads `[health]`; what it does not say is as in `base`.
pub(super) fn health(reading: &mut Reading<'_>, mut table: Members<'_>, base: HealthSettings) -> HealthSettings {
    let usual = Settings::USUAL;
    let small = |number: Option<u64>, usual: u32| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(usual);
    let time = |time: Option<Duration>, usual: u64| {
        time.and_then(|time| u64::try_from(time.as_millis()).ok()).unwrap_or(usual)
    };
    let judged = Settings {
        enabled: table.flag(reading, "enabled").map_or(usual.enabled, |flag| flag.value),
        failures: small(table.number(reading, "failures", 1, 1_000_000), usual.failures),
        error_percent: table.number(reading, "error_ratio", 1, 101).unwrap_or(usual.error_percent),
        window_ms: time(table.duration(reading, "window"), usual.window_ms),
        least_attempts: table.number(reading, "least_attempts", 1, 1_000_000).unwrap_or(usual.least_attempts),
        open_ms: time(table.duration(reading, "open_for"), usual.open_ms),
        successes: small(table.number(reading, "successes", 1, 1000), usual.successes),
        retry_percent: table.number(reading, "retry_share", 0, 100).unwrap_or(usual.retry_percent),
    };
    let probes = probes(reading, &mut table, base.probes);
    let webhook = table.table(reading, "webhook", "`webhook`").and_then(|table| webhook(reading, table));
    table.end(reading);
    HealthSettings { judged, probes, webhook }
}

/// A time, or `"off"`.
fn probes(reading: &mut Reading<'_>, table: &mut Members<'_>, base: Option<Duration>) -> Option<Duration> {
    if table.peek("probes") == Some("off") {
        table.value("probes");
        return None;
    }
    table.duration(reading, "probes").or(base)
}

fn webhook(reading: &mut Reading<'_>, mut table: Members<'_>) -> Option<OperatorsWebhook> {
    let at = table.at;
    let (url, secret) = (table.string(reading, "url"), secret_ref(reading, &mut table, "secret"));
    table.end(reading);
    let (Some(url), Some(secret)) = (url, secret) else {
        let needs =
            "`webhook` needs a `url` and a `secret` to sign with: { url = \"https://…\", secret = { env = \"NAME\" } }";
        reading.mistake(at, needs);
        return None;
    };
    let webhook = Webhook { url: url.value };
    if let Some(mistake) = webhook.mistake() {
        reading.mistake(url.at, mistake);
    }
    Some(OperatorsWebhook { webhook, secret })
}

#[cfg(test)]
mod tests {
    use super::super::{File, Known};
    use super::*;

    fn read(text: &str) -> Result<HealthSettings, Vec<String>> {
        let file = File::read("f", text, &Known::default());
        file.map(|file| file.health).map_err(|mistakes| mistakes.list.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn numbers_and_times_are_read_and_what_is_not_said_is_as_usual() {
        assert_eq!(read(""), Ok(HealthSettings::default()));
        let text = "[health]\nfailures = 3\nerror_ratio = 101\nwindow = \"1m\"\nopen_for = \"5s\"\nretry_share = 0\n\
                    probes = \"off\"\nwebhook = { url = \"https://h/x\", secret = { env = \"S\" } }\n";
        let health = read(text).unwrap();
        let judged = Settings {
            failures: 3,
            error_percent: 101,
            window_ms: 60_000,
            open_ms: 5000,
            retry_percent: 0,
            ..Settings::USUAL
        };
        assert_eq!((health.judged, health.probes), (judged, None));
        assert_eq!(health.webhook.unwrap().webhook.url, "https://h/x");
        assert_eq!(read("[health]\nprobes = \"5s\"\n").unwrap().probes, Some(Duration::from_secs(5)));
        for (text, probes) in
            [("", None), ("[health]\n", None), ("[health]\nprobes = \"5s\"\n", Some(Duration::from_secs(5)))]
        {
            assert_eq!(read(&format!("discovery = false\n{text}")).unwrap().probes, probes, "{text}");
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = "[health]\nfailures = 0\nwindow = 30\nprobes = \"sometimes\"\nretry_share = 101\nspeed = 1\n\
                    webhook = { url = \"ftp://h\", secret = \"hush\" }\n";
        let found = read(text).unwrap_err();
        let lines: Vec<&str> = found.iter().map(|mistake| mistake.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["2", "3", "4", "5", "6", "7", "7"], "{found:#?}");
        assert!(!found.concat().contains("hush"));
        let wrong = read("[health]\nwebhook = { url = \"ftp://h\", secret = { env = \"S\" } }\n").unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].contains("http"), "{wrong:?}");
    }
}
