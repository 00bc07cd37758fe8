//! Verdicts added up: the conformance matrix and the page that shows it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dragoman_core::catalog::DialectId;

use super::cross::CLIENTS;
use super::verdict::{Invariant, Verdict};

/// How many held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Of which everything holds.
    pub passed: usize,
    /// All.
    pub total: usize,
}

impl Score {
    /// Counts one.
    pub fn count(&mut self, passed: bool) {
        self.total += 1;
        self.passed += usize::from(passed);
    }

    fn cell(self) -> String {
        match self.total {
            0 => "–".to_owned(),
            _ => format!("{}/{}", self.passed, self.total),
        }
    }
}

/// Why a failure that remains is no fault, by a pattern of its line (`*` stands for anything).
#[derive(Clone, Debug)]
pub struct Explained {
    pattern: String,
    /// The reason.
    pub reason: String,
}

impl Explained {
    /// Reads a list: `pattern | reason` in each line, `#` begins a comment.
    pub fn list(text: &str) -> Vec<Explained> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.split_once(" | "))
            .map(|(pattern, reason)| Explained { pattern: pattern.trim().to_owned(), reason: reason.trim().to_owned() })
            .collect()
    }

    /// Whether a failure's line is meant.
    pub fn matches(&self, line: &str) -> bool {
        let mut parts = self.pattern.split('*');
        let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
        for part in parts {
            match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        rest.is_empty() || self.pattern.ends_with('*')
    }
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Report {
    verdicts: Vec<Verdict>,
    /// The lines of failures that nobody explained.
    pub unexplained: Vec<String>,
    /// How often each explanation was needed: exchanges, and the first of them.
    explained: Vec<(Explained, usize, String)>,
}

impl Report {
    /// Adds up. Verdicts without a dialect are only counted.
    pub fn of(verdicts: Vec<Verdict>, explanations: &[Explained]) -> Report {
        let mut explained: Vec<(Explained, usize, String)> =
            explanations.iter().map(|explained| (explained.clone(), 0, String::new())).collect();
        let mut unexplained = Vec::new();
        for verdict in &verdicts {
            let mut counted = Vec::new();
            for line in verdict.lines() {
                match explained.iter().position(|(explained, ..)| explained.matches(&line)) {
                    Some(place) if counted.contains(&place) => {}
                    Some(place) => counted.push(place),
                    None => unexplained.push(line),
                }
            }
            for place in counted {
                if let Some((_, count, first)) = explained.get_mut(place) {
                    *count += 1;
                    if first.is_empty() {
                        first.clone_from(&verdict.id);
                    }
                }
            }
        }
        Report { verdicts, unexplained, explained }
    }

    /// The exchanges of which something can be checked, and those of them of which everything holds.
    pub fn exchanges(&self) -> Score {
        let mut score = Score::default();
        self.verdicts
            .iter()
            .filter(|verdict| !verdict.checks.is_empty())
            .for_each(|verdict| score.count(verdict.passed()));
        score
    }

    /// How many of 10,000 exchanges pass.
    pub fn per_myriad(&self) -> usize {
        let Score { passed, total } = self.exchanges();
        (passed * 10_000).checked_div(total).unwrap_or(0)
    }

    /// Explanations that nothing needs any more.
    pub fn idle(&self) -> Vec<&str> {
        self.explained
            .iter()
            .filter(|(_, count, _)| *count == 0)
            .map(|(explained, ..)| explained.pattern.as_str())
            .collect()
    }

    /// By invariant: the checks.
    pub fn by_invariant(&self) -> BTreeMap<Invariant, Score> {
        let mut scores: BTreeMap<Invariant, Score> = BTreeMap::new();
        for check in self.verdicts.iter().flat_map(|verdict| &verdict.checks) {
            scores.entry(check.invariant).or_default().count(check.problems.is_empty());
        }
        scores
    }

    /// Client × provider: exchanges recorded with the provider's dialect, answered to the client. In the provider's own dialect
    /// that is everything that does not cross.
    fn answers(&self, client: DialectId, provider: DialectId, streamed: bool) -> Score {
        let mut score = Score::default();
        for verdict in self.verdicts.iter().filter(|one| one.dialect == Some(provider) && one.streamed == streamed) {
            let mut checks = verdict.checks.iter().filter(|check| {
                let about = !matches!(
                    check.invariant,
                    Invariant::Request | Invariant::Silent | Invariant::Identity | Invariant::RequestTypes
                );
                let same = client == provider && check.other.is_none();
                about && (check.other == Some(client) || same)
            });
            let is_there = checks.clone().next().is_some();
            if is_there {
                score.count(checks.all(|check| check.problems.is_empty()));
            }
        }
        score
    }

    /// Client × provider: requests recorded in the client's dialect, written for the provider.
    fn requests(&self, client: DialectId, provider: DialectId, streamed: bool) -> Score {
        let mut score = Score::default();
        for verdict in self.verdicts.iter().filter(|one| one.dialect == Some(client) && one.streamed == streamed) {
            let mut checks = verdict.checks.iter().filter(|check| match check.invariant {
                Invariant::Identity => client == provider,
                Invariant::Request | Invariant::Silent | Invariant::RequestTypes => check.other == Some(provider),
                _ => false,
            });
            if checks.clone().next().is_some() {
                score.count(checks.all(|check| check.problems.is_empty()));
            }
        }
        score
    }

    fn matrix(&self, score: impl Fn(DialectId, DialectId, bool) -> Score) -> String {
        let mut out = "| client ↓ provider → |".to_owned();
        DialectId::ALL.iter().for_each(|provider| {
            let _ = write!(out, " {} |", provider.name());
        });
        out.push_str("\n|---|");
        out.push_str(&"--:|".repeat(DialectId::ALL.len()));
        for client in CLIENTS {
            let _ = write!(out, "\n| {} |", client.name());
            for provider in DialectId::ALL {
                let [whole, streamed] = [false, true].map(|streamed| score(client, provider, streamed).cell());
                let _ = write!(out, " {whole} · {streamed} |");
            }
        }
        out.push('\n');
        out
    }

    /// The interfaces of which nothing is checked, with their numbers.
    fn others(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for verdict in self.verdicts.iter().filter(|verdict| verdict.checks.is_empty()) {
            *counts.entry(&verdict.api).or_default() += 1;
        }
        let named: Vec<String> = counts.iter().map(|(api, count)| format!("{api} {count}")).collect();
        named.join(", ")
    }

    /// The generated part of the page, between its markers.
    pub fn page(&self) -> String {
        let Score { passed, total } = self.exchanges();
        let rate = self.per_myriad();
        let mut out = format!(
            "{passed} of {total} exchanges ({}.{:02} %) pass every check; {} further recordings are of interfaces that the gateway \
             only relays or does not have ({}).\n\n### Answers\n\nAnswers recorded from the provider's dialect, said to the client: whole · streamed.\n\n",
            rate / 100,
            rate % 100,
            self.verdicts.len() - total,
            self.others(),
        );
        out.push_str(&self.matrix(|client, provider, streamed| self.answers(client, provider, streamed)));
        out.push_str(
            "\n### Requests\n\nRequests recorded in the client's dialect, written for the provider: of whole · of streamed exchanges.\n\n",
        );
        out.push_str(&self.matrix(|client, provider, streamed| self.requests(client, provider, streamed)));
        out.push_str("\n### By invariant\n\n| invariant | what must hold | checks |\n|---|---|--:|\n");
        for (invariant, score) in self.by_invariant() {
            let _ = writeln!(out, "| {} | {} | {} |", invariant.name(), invariant.sentence(), score.cell());
        }
        out.push_str("\n### What does not pass, and why\n\n| exchanges | such as | why |\n|--:|---|---|\n");
        for (explained, count, first) in self.explained.iter().filter(|(_, count, _)| *count > 0) {
            let _ = writeln!(out, "| {count} | `{first}` | {} |", explained.reason);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_stars() {
        let explained = |pattern: &str| Explained { pattern: pattern.into(), reason: String::new() };
        assert!(explained("answer converse *: calls*tool*").matches("answer converse id-1: calls: a tool b"));
        assert!(!explained("answer converse *: calls").matches("answer converse id-1: calls: a"));
        assert!(!explained("cross *").matches("answer x"));
    }

    #[test]
    fn what_nobody_explained_is_told() {
        let mut verdict = Verdict { id: "one".into(), dialect: Some(DialectId::Messages), ..Verdict::default() };
        verdict.note(Invariant::Answer, None, vec!["text: a".into(), "calls: b".into()]);
        let report = Report::of(vec![verdict], &Explained::list("# why\nanswer * one: text* | because\nnever | idle"));
        assert_eq!(report.unexplained, ["answer messages one: calls: b"]);
        assert_eq!(report.exchanges(), Score { passed: 0, total: 1 });
        assert_eq!(report.idle(), ["never"]);
        assert!(report.page().contains("| 1 | `one` | because |"));
    }
}
