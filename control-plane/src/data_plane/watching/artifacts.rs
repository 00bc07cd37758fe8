//! What filters are told of artifacts: which one is in use and which ones arms of experiments name. Files that one has are not sent
//! again.

use std::sync::Arc;

use super::super::proto::{NamedArtifacts, WatchRequest};

/// An artifact's file, by its digest; both are empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// Its SHA-256, in hexadecimal digits.
    pub digest: String,
    /// What is in it.
    pub file: Arc<Vec<u8>>,
}

/// What models are chosen by; nothing of what is not known yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Artifacts {
    /// The one in use.
    pub(super) in_use: Option<Shared>,
    /// Those that arms name.
    pub(super) named: Option<Vec<Shared>>,
}

/// Digests of what one filter has.
pub(super) struct Held {
    in_use: String,
    named: Vec<String>,
}

impl Held {
    /// As it says itself.
    pub(super) fn by(request: &WatchRequest) -> Held {
        Held { in_use: request.artifact.clone(), named: request.named_artifacts.clone() }
    }

    /// What it is to be told of these; it has them then.
    pub(super) fn learn(&mut self, now: &Artifacts) -> (Option<Vec<u8>>, Option<NamedArtifacts>) {
        let in_use = now.in_use.as_ref().filter(|told| told.digest != self.in_use);
        let digests = |named: &Vec<Shared>| named.iter().map(|one| one.digest.clone()).collect::<Vec<_>>();
        let named = now.named.as_ref().filter(|named| digests(named) != self.named).map(|named| {
            let comes = in_use.map(|told| &told.digest);
            let has = |digest: &String| Some(digest) == comes || self.in_use == *digest || self.named.contains(digest);
            let files = named.iter().filter(|one| !has(&one.digest)).map(|one| one.file.to_vec()).collect();
            NamedArtifacts { digests: digests(named), files }
        });
        if let Some(told) = in_use {
            self.in_use.clone_from(&told.digest);
        }
        if let Some(told) = &named {
            self.named.clone_from(&told.digests);
        }
        (in_use.map(|told| told.file.to_vec()), named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(digest: &str) -> Shared {
        Shared { digest: digest.into(), file: Arc::new(digest.into()) }
    }

    fn now(in_use: &str, named: &[&str]) -> Artifacts {
        Artifacts { in_use: Some(shared(in_use)), named: Some(named.iter().map(|digest| shared(digest)).collect()) }
    }

    /// Digests that are named, and files that come with them.
    type Named = Option<(Vec<String>, Vec<String>)>;

    fn told(held: &mut Held, now: &Artifacts) -> (Option<String>, Named) {
        let text = |file: Vec<u8>| String::from_utf8(file).unwrap();
        let (in_use, named) = held.learn(now);
        (in_use.map(text), named.map(|told| (told.digests, told.files.into_iter().map(text).collect())))
    }

    fn some(digests: &[&str], files: &[&str]) -> Named {
        let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        Some((own(digests), own(files)))
    }

    #[test]
    fn a_file_is_sent_once_and_what_is_named_no_more_is_told_without_any() {
        let mut held = Held::by(&WatchRequest::default());
        assert_eq!(told(&mut held, &Artifacts::default()), (None, None), "nothing is known yet");
        assert_eq!(told(&mut held, &now("a", &["b"])), (Some("a".into()), some(&["b"], &["b"])));
        assert_eq!(told(&mut held, &now("a", &["b"])), (None, None));
        assert_eq!(told(&mut held, &now("a", &["b", "c", "a"])), (None, some(&["b", "c", "a"], &["c"])));
        assert_eq!(told(&mut held, &now("d", &["b", "d"])), (Some("d".into()), some(&["b", "d"], &[])));
        assert_eq!(told(&mut held, &now("", &[])), (Some(String::new()), some(&[], &[])));
    }

    #[test]
    fn a_filter_that_comes_back_says_what_it_has() {
        let request =
            WatchRequest { artifact: "a".into(), named_artifacts: vec!["b".into()], ..WatchRequest::default() };
        assert_eq!(told(&mut Held::by(&request), &now("a", &["b"])), (None, None));
        let told = told(&mut Held::by(&request), &now("c", &["a", "d"]));
        assert_eq!(told, (Some("c".into()), some(&["a", "d"], &["d"])), "the one that was in use is there");
    }
}
