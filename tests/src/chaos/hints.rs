//! Providers that say how long they want to be left alone, in every form that is known: nobody asks before, neither at the Envoy that
//! heard it nor, a second later, at another.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};

use super::figures::Figure;
use super::options::{Options, Scenario};
use super::{patient, provider, remembering};
use crate::gateway::{Gateway, Setup};
use crate::postgres::database;
use crate::said::read;
use crate::simulator::hints::{self, Hint, Means};
use crate::simulator::persona::Dialect;
use crate::simulator::{Reply, Simulator, When};

/// Forms that are tried at once.
const AT_ONCE: usize = 8;

/// Between two requests for a form at an Envoy.
const PAUSE: Duration = Duration::from_millis(50);

/// So long after one Envoy heard it the other keeps to it; and so much sooner or later than was said somebody may be asked.
const SECOND: Duration = Duration::from_secs(1);

/// Those that say a longer time, or that a quota is used up, are watched for so long.
const WATCHED: Duration = Duration::from_secs(5);

/// The requests' words, by which the journal tells the Envoys apart.
const WORDS: [&str; 2] = ["through the one", "through the other"];

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = all().len().min(options.count(Scenario::Hints));
    let (throttled, second) = (remembering()?, provider()?);
    let shared = patient().health("").simulator("throttled", &throttled).simulator("second", &second);
    let shared = shared.variable("DRAGOMAN_STORE", &database()?).variable("DRAGOMAN_PEPPER", &"5e".repeat(32));
    let offer = |setup: Setup, number| setup.model(&model(number), &["throttled", "second"]);
    let setup = (0..count).fold(shared, offer);
    let gateways = [Gateway::start_apart(&setup)?, Gateway::start_apart(&setup)?];
    let (next, watched) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let watch_some = || -> anyhow::Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                let seen = watch(&gateways, &throttled, number)?;
                watched.lock().map_err(|_| anyhow::anyhow!("a watcher panicked"))?.push(seen);
            }
        };
        let watchers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(watch_some)).collect();
        watchers.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| bail!("a watcher panicked")))
    })?;
    let watched = watched.into_inner().map_err(|_| anyhow::anyhow!("a watcher panicked"))?;
    Ok(figures(&watched, count))
}

/// Every form with a time, most of them of seconds; and those by which a quota is used up.
fn all() -> Vec<Hint> {
    let now = SystemTime::now();
    let lasts = |hint: &Hint| match hint.means {
        Means::After(wait) => wait > WATCHED,
        Means::Exhausted => true,
        Means::Nothing => false,
    };
    let long = hints::all(now).into_iter().filter(lasts);
    hints::brief(now).into_iter().chain(long).collect()
}

fn model(number: usize) -> String {
    format!("form-{number}")
}

/// What came of one form.
struct Watched {
    form: String,
    /// When it may be asked again, after it said so; `None` when that is later than anybody watched.
    wait: Option<Duration>,
    /// How often each Envoy asked for that model.
    asked: [usize; 2],
    /// When each Envoy asked it again, after it said so.
    again: [Option<Duration>; 2],
    /// Answers that were none.
    wrong: Vec<String>,
}

/// Has it heard at the one Envoy, and asks at both until it is over.
fn watch(gateways: &[Gateway; 2], throttled: &Simulator, number: usize) -> anyhow::Result<Watched> {
    let (model, mut asked, mut wrong) = (model(number), [0, 0], Vec::new());
    let mut ask = |envoy: usize| -> anyhow::Result<()> {
        let answer = gateways[envoy].ask(Dialect::Chat, &model, WORDS[envoy], false)?;
        asked[envoy] += 1;
        if answer.status != 200 || !read(Dialect::Chat, &answer).complete {
            wrong.push(format!("{} {}", answer.status, answer.text()));
        }
        Ok(())
    };
    // Dates are relative to now.
    let hint = all().into_iter().nth(number).context("a form")?;
    throttled.when(When::model(&model), [hint.reply(), Reply::persona()]);
    ask(0)?;
    let asked_again = |request: &&crate::simulator::Request| request.received.model().as_deref() == Some(&model);
    let first = throttled.journal().requests().iter().find(asked_again).map(|request| request.received.first_byte);
    let heard = first.with_context(|| format!("{}: the throttled one was never asked", hint.form))?;
    let wait = match hint.means {
        Means::After(wait) if wait <= WATCHED => Some(wait),
        _ => None,
    };
    let end = heard + wait.unwrap_or(WATCHED) + SECOND;
    while Instant::now() < end {
        ask(0)?;
        if heard.elapsed() >= SECOND {
            ask(1)?;
        }
        std::thread::sleep(PAUSE);
    }
    let journal = throttled.journal().requests();
    let again = WORDS.map(|words| {
        let later = journal.iter().filter(asked_again).filter(|request| request.received.mentions(words));
        let moments = later.map(|request| request.received.first_byte).filter(|moment| *moment > heard);
        moments.min().map(|moment| moment - heard)
    });
    Ok(Watched { form: hint.form, wait, asked, again, wrong })
}

fn figures(watched: &[Watched], count: usize) -> Vec<Figure> {
    let sum = |number: usize| watched.iter().map(|one| one.asked[number]).sum::<usize>();
    let early = |number: usize| -> Vec<String> {
        let is_early = |one: &&Watched| match (one.wait, one.again[number]) {
            (Some(wait), Some(again)) => again + SECOND < wait,
            (None, again) => again.is_some(),
            _ => false,
        };
        watched.iter().filter(is_early).map(|one| format!("{} after {:?}", one.form, one.again[number])).collect()
    };
    let is_late = |one: &&Watched| one.wait.is_some() && one.again[0].is_none();
    let late: Vec<&str> = watched.iter().filter(is_late).map(|one| one.form.as_str()).collect();
    let off = |one: &Watched| Some(one.again.iter().flatten().min()?.as_secs_f64() - one.wait?.as_secs_f64());
    let off: Vec<f64> = watched.iter().filter_map(off).collect();
    let wrong: Vec<&String> = watched.iter().flat_map(|one| &one.wrong).collect();
    let number = |value: f64| format!("{value:+.3} s");
    vec![
        Figure::done("forms", watched.len(), count),
        Figure::told(
            "of these with a wait of two or three seconds",
            watched.iter().filter(|one| one.wait.is_some()).count(),
        ),
        Figure::told("requests at the Envoy that heard it", sum(0)),
        Figure::told("requests at the other, from a second later on", sum(1)),
        Figure::none("of them failed", &wrong),
        Figure::none("forms that were asked a second too early, by who heard it", &early(0)),
        Figure::none("by the other", &early(1)),
        Figure::told(
            "asked again soonest, against what was said",
            number(off.iter().copied().fold(f64::MAX, f64::min)),
        ),
        Figure::told("asked again latest", number(off.iter().copied().fold(f64::MIN, f64::max))),
        Figure::none("forms that were not asked again a second after", &late),
    ]
}
