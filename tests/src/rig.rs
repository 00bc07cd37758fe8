//! One gateway with twelve providers behind it, shared by all tests of a binary: starting Envoy costs seconds.
//!
//! Every dialect has a first provider (`chat`) and a second one (`chat-b`). The models say who serves them:
//! [`only`]`(Chat)` has one provider and no fallback; [`pair`]`(Chat, Gemini)` is asked at the first provider of chat
//! completions and then at the second of Gemini; [`closed`]`(Chat)` begins at a port that refuses; [`all_three`] goes
//! through chat, messages and Gemini.
//!
//! Tests run at once and share all of it, so each makes its own words with [`fresh`], scripts the provider for requests
//! that mention them, and looks only at those in the journals.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::Answer;
use crate::gateway::{Gateway, Setup};
use crate::said::{Said, read};
use crate::simulator::persona::Dialect;
use crate::simulator::{ClosedPort, Persona, Reply, Request, Simulator, When};

/// A gateway and what stands behind it.
pub struct Rig {
    /// The gateway.
    pub gateway: Gateway,
    firsts: Vec<Simulator>,
    seconds: Vec<Simulator>,
    _closed: ClosedPort,
}

/// The model that only the first provider of this dialect serves.
pub fn only(dialect: Dialect) -> String {
    format!("only-{}", dialect.name())
}

/// The model asked at the first provider of one dialect and then at the second provider of another.
pub fn pair(first: Dialect, second: Dialect) -> String {
    format!("{}-then-{}", first.name(), second.name())
}

/// The model asked at a port that refuses and then at the second provider of this dialect.
pub fn closed(second: Dialect) -> String {
    format!("closed-then-{}", second.name())
}

/// The model asked at the first providers of chat, messages and Gemini in this order.
pub fn all_three() -> String {
    "all-three".to_owned()
}

/// Words that no other test says, ending in these.
pub fn fresh(words: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("case #{}: {words}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The rig of this test binary. The first caller waits for it to start.
///
/// # Panics
///
/// When it does not start: no test of the binary could say anything.
#[expect(clippy::panic, reason = "there is nothing to test without it")]
pub fn rig() -> &'static Rig {
    static RIG: LazyLock<Rig> = LazyLock::new(|| match Rig::start() {
        Ok(rig) => rig,
        Err(error) => panic!("the rig does not start: {error:#}"),
    });
    &RIG
}

impl Rig {
    /// Starts one of its own, for tests that break it.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(|setup| setup)
    }

    /// The same with more in its configuration.
    pub fn start_with(more: impl FnOnce(Setup) -> Setup) -> anyhow::Result<Self> {
        let start = |suffix: &str| -> anyhow::Result<Vec<Simulator>> {
            let persona =
                |dialect: Dialect| Persona::new(dialect, &provider_key(&format!("{}{suffix}", dialect.name())));
            Dialect::ALL.into_iter().map(|dialect| Simulator::start(persona(dialect))).collect()
        };
        let (firsts, seconds) = (start("")?, start("-b")?);
        let refusing = ClosedPort::take()?;
        let mut setup = Setup::new().provider("closed", Dialect::Chat, &refusing.url()?, "key-of-closed");
        for (dialect, first, second) in each(&firsts, &seconds) {
            let (id, second_id) = (dialect.name(), format!("{}-b", dialect.name()));
            setup = setup.simulator(id, first).simulator(&second_id, second);
            setup = setup.model(&only(dialect), &[id]).model(&closed(dialect), &["closed", &second_id]);
            setup = setup.model(&format!("{}-no-such", only(dialect)), &[id]);
            for other in Dialect::ALL {
                setup = setup.model(&pair(dialect, other), &[id, &format!("{}-b", other.name())]);
            }
        }
        let setup = more(setup.model(&all_three(), &["chat", "messages", "gemini"]));
        Ok(Self { gateway: Gateway::start(&setup)?, firsts, seconds, _closed: refusing })
    }

    /// The first provider of a dialect.
    pub fn first(&self, dialect: Dialect) -> &Simulator {
        provider(&self.firsts, dialect)
    }

    /// The second provider of a dialect.
    pub fn second(&self, dialect: Dialect) -> &Simulator {
        provider(&self.seconds, dialect)
    }

    /// Every provider.
    pub fn providers(&self) -> impl Iterator<Item = &Simulator> {
        self.firsts.iter().chain(&self.seconds)
    }

    /// Scripts the first provider of a dialect for requests that mention these words.
    pub fn script(&self, dialect: Dialect, words: &str, replies: impl IntoIterator<Item = Reply>) {
        self.first(dialect).when(When::mentions(words), replies);
    }

    /// How often any provider was asked with these words.
    pub fn asked(&self, words: &str) -> usize {
        self.requests(words).len()
    }

    /// What all providers got with these words.
    pub fn requests(&self, words: &str) -> Vec<Request> {
        self.providers().flat_map(|provider| provider.journal().mentioning(words)).collect()
    }

    /// Asks and reads the answer.
    pub fn ask(&self, client: Dialect, model: &str, text: &str, stream: bool) -> anyhow::Result<(Answer, Said)> {
        let answer = self.gateway.ask(client, model, text, stream)?;
        let said = read(client, &answer);
        Ok((answer, said))
    }
}

/// The key of the provider with this id, made so that it can be searched for.
pub fn provider_key(id: &str) -> String {
    format!("sk-provider-canary-{id}")
}

fn provider(providers: &[Simulator], dialect: Dialect) -> &Simulator {
    let place = Dialect::ALL.iter().position(|one| *one == dialect);
    &providers[place.unwrap_or_default()]
}

fn each<'a>(
    firsts: &'a [Simulator],
    seconds: &'a [Simulator],
) -> impl Iterator<Item = (Dialect, &'a Simulator, &'a Simulator)> {
    Dialect::ALL.into_iter().zip(firsts.iter().zip(seconds)).map(|(dialect, (first, second))| (dialect, first, second))
}
