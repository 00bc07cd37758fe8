//! `[tuning]`: where the artifact comes from that tells how hard requests are, and how often it is looked there.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::members::{Members, Reading};

/// The variable that says where the artifact is, where the file does not.
pub const ARTIFACT_URL: &str = "TUNING_ARTIFACT_URL";

/// How often it is looked whether it changed when nobody says.
const REFRESH: Duration = Duration::from_secs(60);

/// `[tuning]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuningSettings {
    /// Where the artifact comes from; `None` when the file does not say.
    pub artifact: Option<ArtifactSource>,
    /// How often it is looked there.
    pub refresh: Duration,
}

impl Default for TuningSettings {
    fn default() -> TuningSettings {
        TuningSettings { artifact: None, refresh: REFRESH }
    }
}

impl TuningSettings {
    /// Where the artifact comes from: what the file says, else the environment; without either there is none.
    pub fn source(&self, environment: &dyn Fn(&str) -> Option<String>) -> Result<ArtifactSource, String> {
        match (&self.artifact, environment(ARTIFACT_URL).filter(|said| !said.is_empty())) {
            (Some(said), _) => Ok(said.clone()),
            (None, Some(said)) => ArtifactSource::read(&said).map_err(|wrong| format!("{ARTIFACT_URL}: it is {wrong}")),
            // What the shipped one learnt holds for examinations, and few ask those: whoever wants it says so.
            (None, None) => Ok(ArtifactSource::Nowhere),
        }
    }
}

/// Where an artifact comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactSource {
    /// It is built in.
    Shipped,
    /// There is none: the rules decide.
    Nowhere,
    /// A file of this machine.
    File(PathBuf),
    /// `https://…`, `http://…` or `s3://bucket/key`.
    Address(Url),
}

impl ArtifactSource {
    /// Reads what somebody said; what it is instead of a source, where it is none.
    pub fn read(said: &str) -> Result<ArtifactSource, &'static str> {
        match said {
            "" => Err("empty; say \"shipped\", \"none\", a file or an address"),
            "shipped" => Ok(ArtifactSource::Shipped),
            "none" => Ok(ArtifactSource::Nowhere),
            said if !said.contains("://") => Ok(ArtifactSource::File(said.into())),
            said => {
                let url = Url::parse(said).ok().filter(|url| matches!(url.scheme(), "http" | "https" | "s3"));
                let url = url.filter(|url| url.host_str().is_some_and(|host| !host.is_empty()) && url.path().len() > 1);
                let url = url.ok_or("no address such as https://host/file or s3://bucket/key")?;
                // It is logged and shown, and credentials for what is kept in buckets come from the environment.
                let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
                if is_plain { Ok(ArtifactSource::Address(url)) } else { Err("an address with a user or a query") }
            }
        }
    }

    /// Its name, as it is said, kept and shown.
    pub fn name(&self) -> String {
        match self {
            ArtifactSource::Shipped => "shipped".to_owned(),
            ArtifactSource::Nowhere => "none".to_owned(),
            ArtifactSource::File(path) => path.display().to_string(),
            ArtifactSource::Address(url) => url.to_string(),
        }
    }
}

/// Reads `[tuning]`.
pub(super) fn tuning(reading: &mut Reading<'_>, mut table: Members<'_>) -> TuningSettings {
    let artifact = table.string(reading, "artifact").and_then(|said| {
        let read = ArtifactSource::read(&said.value);
        read.map_err(|wrong| reading.mistake(said.at, format!("`artifact` is {wrong}"))).ok()
    });
    let refresh = table.duration(reading, "refresh").unwrap_or(REFRESH);
    table.end(reading);
    TuningSettings { artifact, refresh }
}

#[cfg(test)]
mod tests {
    use super::super::{File, Known};
    use super::*;

    fn read(text: &str) -> Result<TuningSettings, String> {
        File::read("f", text, &Known::default()).map(|file| file.tuning).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn the_file_says_where_the_artifact_is_or_the_environment_does_or_there_is_none() {
        let from = |text: &str, variable: Option<&str>| {
            let environment = |name: &str| (name == ARTIFACT_URL).then_some(variable?.to_owned());
            read(text).unwrap().source(&environment).map(|source| source.name())
        };
        for (text, variable, source) in [
            ("", None, "none"),
            ("", Some(""), "none"),
            ("", Some("s3://models/tuning.artifact"), "s3://models/tuning.artifact"),
            ("[tuning]\nartifact = \"none\"", Some("s3://models/tuning.artifact"), "none"),
            ("[tuning]\nartifact = \"shipped\"", None, "shipped"),
            ("[tuning]\nartifact = \"a/b.artifact\"", None, "a/b.artifact"),
            ("[tuning]\nartifact = \"https://h/a.artifact\"", None, "https://h/a.artifact"),
        ] {
            assert_eq!(from(text, variable), Ok(source.to_owned()), "{text} {variable:?}");
        }
        assert!(from("", Some("ftp://h/x")).unwrap_err().starts_with(ARTIFACT_URL));
        assert_eq!(read("[tuning]\nrefresh = \"5s\"").unwrap().refresh, Duration::from_secs(5));
        assert_eq!(read("").unwrap().refresh, REFRESH);
    }

    #[test]
    fn what_is_no_source_is_told_without_its_secret() {
        for wrong in ["", "ftp://h/x", "https://h", "s3://bucket", "https://u:hush@h/x", "https://h/x?key=hush"] {
            let mistakes = read(&format!("[tuning]\nartifact = \"{wrong}\"")).unwrap_err();
            assert!(mistakes.contains("artifact") && !mistakes.contains("hush"), "{wrong}: {mistakes}");
        }
        assert!(read("[tuning]\nrefresh = 5").is_err() && read("[tuning]\nspeed = 5").is_err());
    }
}
