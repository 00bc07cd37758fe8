//! What the command line asks for.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::shape::Shape;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Pairs of rounds of each row. Odd, so that a median is one of them.
    pub rounds: usize,
    /// Length of a round with as many requests as Envoy can answer.
    pub busy: Duration,
    /// Length of a round at a fixed rate.
    pub calm: Duration,
    /// A row that would start later is left out of the table, and the table says so.
    pub longest: Duration,
}

impl Pace {
    /// For the README: below five minutes.
    const FULL: Self = Self {
        rounds: 5,
        busy: Duration::from_millis(700),
        calm: Duration::from_millis(1200),
        longest: Duration::from_secs(255),
    };
    /// For a look: below one minute.
    const QUICK: Self = Self {
        rounds: 3,
        busy: Duration::from_millis(200),
        calm: Duration::from_millis(300),
        longest: Duration::from_secs(48),
    };
}

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) shapes: Vec<Shape>,
    pub(super) bodies: Vec<usize>,
    pub(super) pace: Pace,
    pub(super) soak: Option<usize>,
    pub(super) bare_only: bool,
    pub(super) budgets: bool,
    pub(super) sessions: bool,
    pub(super) choosing: bool,
}

/// The bodies of the README's table, in bytes.
const BODIES: [usize; 3] = [2_000, 100_000, 1_000_000];

/// The smallest body that can be written, and the largest the gateway takes.
const SMALLEST: usize = 1_000;
const LARGEST: usize = 32_000_000;

/// A soak of more requests than this would not end in five minutes.
const LONGEST_SOAK: usize = 500_000;

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// When it says something unknown.
    pub fn read(arguments: &[String]) -> anyhow::Result<Self> {
        let mut options = Self {
            shapes: Shape::ALL.to_vec(),
            bodies: BODIES.to_vec(),
            pace: Pace::FULL,
            soak: None,
            bare_only: false,
            budgets: false,
            sessions: false,
            choosing: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--quick" => options.pace = Pace::QUICK,
                "--only" => options.shapes = value()?.split(',').map(Shape::named).collect::<anyhow::Result<_>>()?,
                "--bodies" => options.bodies = value()?.split(',').map(size).collect::<anyhow::Result<_>>()?,
                "--soak" => options.soak = Some(value()?.parse::<usize>()?.min(LONGEST_SOAK)),
                // Bare Envoy in the gateway's place: the ratios show the noise of the machine.
                "--bare-only" => options.bare_only = true,
                // What paying costs, and nothing else.
                "--budgets" => options.budgets = true,
                // What people's own tokens cost, and nothing else.
                "--sessions" => options.sessions = true,
                // What choosing the model costs, and nothing else.
                "--choosing" => options.choosing = true,
                _ => bail!(
                    "`{argument}` is unknown; there are --quick, --only SHAPES, --bodies SIZES, --soak COUNT, --bare-only, --budgets, --sessions, --choosing"
                ),
            }
        }
        Ok(options)
    }
}

/// `2k`, `1m` or a number of bytes.
fn size(text: &str) -> anyhow::Result<usize> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1_000),
        None => text.strip_suffix(['m', 'M']).map_or((text, 1), |number| (number, 1_000_000)),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    match bytes {
        Some(bytes) if (SMALLEST..=LARGEST).contains(&bytes) => Ok(bytes),
        _ => bail!("`{text}` is no size between 1k and 32m"),
    }
}
