//! What was checked of an exchange, and what was found.

use dragoman_core::catalog::DialectId;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// In its own dialect the answer's bytes pass as they are.
    Relay,
    /// The counts read on the way are those of the recording.
    Usage,
    /// A request read and written in its own dialect is the same JSON.
    Identity,
    /// A request written in another dialect says all of it, or lists what it does not.
    Request,
    /// A member that changes nothing in the written request is listed as lost.
    Silent,
    /// The dialect's reader understands what an independent one did.
    Answer,
    /// An answer said in a client's dialect and read back is the same answer.
    Cross,
    /// An error keeps its class, status, code and words.
    Error,
    /// However a stream is cut, the same bytes come out.
    Rechunk,
    /// A stream that breaks off never looks complete, and nothing is made up.
    Truncation,
    /// The vendor's own types accept the answer as it was said.
    Types,
    /// The vendor's own types accept the request as it was written.
    RequestTypes,
    /// Vectors are asked for and answered in every dialect that has them.
    Vectors,
    /// Nothing panics.
    Panic,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 14] = [
        Invariant::Relay,
        Invariant::Usage,
        Invariant::Identity,
        Invariant::Request,
        Invariant::Silent,
        Invariant::Answer,
        Invariant::Cross,
        Invariant::Error,
        Invariant::Rechunk,
        Invariant::Truncation,
        Invariant::Types,
        Invariant::RequestTypes,
        Invariant::Vectors,
        Invariant::Panic,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::Relay => "relay",
            Invariant::Usage => "usage",
            Invariant::Identity => "identity",
            Invariant::Request => "request",
            Invariant::Silent => "silent",
            Invariant::Answer => "answer",
            Invariant::Cross => "cross",
            Invariant::Error => "error",
            Invariant::Rechunk => "rechunk",
            Invariant::Truncation => "truncation",
            Invariant::Types => "types",
            Invariant::RequestTypes => "request_types",
            Invariant::Vectors => "vectors",
            Invariant::Panic => "panic",
        }
    }

    /// What it says, for the documentation.
    pub fn sentence(self) -> &'static str {
        match self {
            Invariant::Relay => {
                "in its own dialect the answer's bytes pass as they are, and a cut answer gets an error at its end"
            }
            Invariant::Usage => "the tokens counted on the way are those of the recording",
            Invariant::Identity => "a request read and written in its own dialect is the same JSON",
            Invariant::Request => "a request written in another dialect says all of it, or lists what it does not",
            Invariant::Silent => "a member that changes nothing in the written request is listed as lost",
            Invariant::Answer => {
                "the reader understands what an independent one did: text, calls, finish reason, refusal"
            }
            Invariant::Cross => {
                "an answer said in a client's dialect and read back is the same answer, whole and streamed"
            }
            Invariant::Error => "an error keeps its class, status and words in every client's dialect",
            Invariant::Rechunk => "however a stream is cut, the same bytes come out",
            Invariant::Truncation => "a stream that breaks off never looks complete, and nothing is made up",
            Invariant::Types => "the vendors' own Python types accept an answer said in another dialect, strictly",
            Invariant::RequestTypes => {
                "the vendors' own Python types accept a request written in another dialect, strictly"
            }
            Invariant::Vectors => "requests for vectors and their answers are the same in every dialect that has them",
            Invariant::Panic => "nothing panics",
        }
    }
}

/// One check of one exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was checked.
    pub invariant: Invariant,
    /// The dialect at the other end: the client's for answers, the provider's for requests. `None`: no other end.
    pub other: Option<DialectId>,
    /// What is wrong; nothing when it holds.
    pub problems: Vec<String>,
}

/// All checks of one exchange.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The recording.
    pub id: String,
    /// The provider's own interface.
    pub api: String,
    /// The dialect of both its bodies; `None` when the gateway has no such dialect.
    pub dialect: Option<DialectId>,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// What was checked.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Notes a check.
    pub fn note(&mut self, invariant: Invariant, other: Option<DialectId>, problems: Vec<String>) {
        self.checks.push(Check { invariant, other, problems });
    }

    /// Whether everything holds.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.problems.is_empty())
    }

    /// One line for every problem: `invariant from>to id: problem`.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.checks.iter().flat_map(move |check| check.problems.iter().map(move |problem| self.line(check, problem)))
    }

    /// The line of one problem.
    pub fn line(&self, check: &Check, problem: &str) -> String {
        let own = self.dialect.map_or(self.api.clone(), |dialect| dialect.name().to_owned());
        let other = check.other.map(|other| format!(">{}", other.name())).unwrap_or_default();
        format!("{} {own}{other} {}: {problem}", check.invariant.name(), self.id)
    }
}
