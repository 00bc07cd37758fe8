use super::*;
use crate::catalog::{Abilities, DialectId, Provider};
use crate::explain::{Explanation, Fate, Situation, explain};
use crate::features::Features;
use crate::health::Pulses;
use crate::json::{Json, Writer};
use crate::price::{Price, Rates};
use crate::select::{Rounds, Warm};
use crate::snapshot::{Buckets, Loss, Route, Snapshot};

fn target(model: &str, input: u64, quality: Option<u16>) -> Target {
    let rates = Rates { input, output: 4 * input, cache_read: Some(input / 10), ..Rates::default() };
    Target { price: Price::of(rates), quality, ..Target::unlisted(format!("p/{model}"), 0, model) }
}

fn buckets(list: &[Bucket]) -> Buckets {
    list.iter().fold(Buckets::NONE, |buckets, bucket| buckets.with(*bucket))
}

fn choice(suits: &[&[Bucket]]) -> Choice {
    let suits = suits.iter().map(|list| buckets(list)).collect();
    Choice { suits, alpha: 700, alphas: (400, 1000), second: 0, thought: Choice::usual_thought(), keep_features: false }
}

fn chosen(targets: &[Target], wanted: &Wanted, conversation: Option<u64>, warm: &Warm) -> Vec<String> {
    let (pulses, mut rounds) = (Pulses::default(), Rounds::default());
    let choosing = Choosing { warm: Some(warm), now_ms: 1, ..Choosing::new(&pulses, &mut rounds) };
    let choice = choice(&[&[Bucket::Cheap], &[Bucket::Cheap], &[Bucket::Cheap]]);
    let features = Features::of_prompt("Hello");
    let request =
        Request { choice: &choice, features: &features, wanted, tokens: 1_000, output_limit: None, conversation };
    let chosen = request.choose(targets.iter().enumerate(), &choosing);
    assert_eq!((chosen.bucket, chosen.by), (Bucket::Cheap, Judge::Rules));
    chosen.scores.into_iter().map(|score| score.target).collect()
}

#[test]
fn quality_counts_as_much_as_alpha_says() {
    let targets = [target("good", 1_000_000, Some(900)), target("fair", 100_000, Some(600))];
    let of = |alpha| chosen(&targets, &Wanted { alpha, bucket: None }, None, &Warm::default());
    assert_eq!(of(Some(1000)), ["p/good", "p/fair"]);
    assert_eq!(of(Some(700)), ["p/fair", "p/good"], "0.7 · 0.6 + 0.3 is more than 0.7 · 0.9");
    assert_eq!(of(Some(0)), ["p/fair", "p/good"]);
}

#[test]
fn where_nobody_knows_anything_the_cheapest_comes_first() {
    let targets = [target("dear", 9, None), target("cheap", 3, None), target("middling", 5, None)];
    assert_eq!(chosen(&targets, &Wanted::default(), None, &Warm::default()), ["p/cheap", "p/middling", "p/dear"]);
}

#[test]
fn who_remembers_a_conversation_takes_less_for_it() {
    let targets = [target("one", 1_000_000, None), target("two", 1_100_000, None)];
    let mut warm = Warm::default();
    warm.met(7, hash("p/two"), 0);
    assert_eq!(chosen(&targets, &Wanted::default(), Some(7), &warm), ["p/two", "p/one"]);
    assert_eq!(chosen(&targets, &Wanted::default(), Some(8), &warm), ["p/one", "p/two"]);
    assert_eq!(chosen(&targets, &Wanted::default(), None, &warm), ["p/one", "p/two"]);
}

#[test]
fn a_request_may_say_how_much_quality_counts_within_the_routes_bounds() {
    let choice = choice(&[&[Bucket::Cheap]]);
    let (pulses, mut rounds) = (Pulses::default(), Rounds::default());
    let choosing = Choosing::new(&pulses, &mut rounds);
    let features = Features::of_prompt("Hello");
    for (said, counted) in [(None, 700), (Some(0), 400), (Some(500), 500), (Some(1000), 1000)] {
        let wanted = Wanted { alpha: said, bucket: Some(Bucket::Hard) };
        let wanted = &wanted;
        let request =
            Request { choice: &choice, features: &features, wanted, tokens: 1, output_limit: None, conversation: None };
        let chosen = request.choose(std::iter::empty(), &choosing);
        assert_eq!((chosen.alpha, chosen.by, chosen.bucket), (counted, Judge::Caller, Bucket::Hard));
    }
}

/// A route that chooses among three models, of which the middle one is for two buckets and has no room for much.
fn snapshot() -> Snapshot {
    let targets = vec![
        target("small", 1, None),
        Target { context_window: 4_000, ..target("middling", 10, None) },
        target("large", 100, None),
    ];
    let suits: &[&[Bucket]] = &[&[Bucket::Cheap], &[Bucket::Cheap, Bucket::Mid], &[Bucket::Hard]];
    let route = Route {
        name: "auto".into(),
        candidates: vec![0, 1, 2],
        loss: Loss::Warn,
        choice: Some(choice(suits)),
        ..Route::default()
    };
    Snapshot::new(1, vec![Provider::plain("p", DialectId::ChatCompletions)], targets, vec![route], vec![]).unwrap()
}

fn explained<'s>(prompt: &str, headers: &[(&str, &str)], more: &str, snapshot: &'s Snapshot) -> Explanation<'s> {
    let model = "auto";
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"{prompt}"}}]{more}}}"#);
    explain("POST", "/v1/chat/completions", headers, body.as_bytes(), Situation::default(), snapshot)
}

const HARD: &str = "Prove, step by step, that there are infinitely many primes. Calculate $x^2$ and solve it.";

#[test]
fn a_request_goes_to_whom_its_bucket_is_for_then_up_then_down() {
    let snapshot = snapshot();
    let order = |prompt: &str, headers: &[(&str, &str)], more: &str| {
        let explanation = explained(prompt, headers, more, &snapshot);
        explanation.planned().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(order("Hello", &[], ""), ["p/small", "p/middling", "p/large"]);
    assert_eq!(order(HARD, &[], ""), ["p/large", "p/middling", "p/small"]);
    let mid = [("x-dragoman-bucket", "mid")];
    assert_eq!(order("Hello", &mid, ""), ["p/middling", "p/large", "p/small"]);
    let unknown = [("x-dragoman-bucket", "middling")];
    let Fate::Refused(denial) = explained("Hello", &unknown, "", &snapshot).fate else { panic!() };
    assert_eq!(
        (denial.status, denial.param.as_deref()),
        (400, Some("x-dragoman-bucket")),
        "nobody knows such a bucket"
    );
    let long = "word ".repeat(6_000);
    assert_eq!(order(&long, &mid, ""), ["p/large", "p/small"], "what does not fit goes where it does");
}

#[test]
fn an_explanation_says_what_the_request_is_like_and_how_that_was_judged() {
    let snapshot = snapshot();
    let mut out = Writer::new();
    explained(HARD, &[], "", &snapshot).write(&mut out);
    let document = out.into_string();
    let said = Json::parse(document.as_bytes()).unwrap();
    assert!(said.at(&["features", "proofs"]).and_then(Json::u64).is_some_and(|proofs| proofs > 0));
    assert!(said.at(&["features", "images"]).is_none(), "what is not there is not said");
    assert!(said.at(&["chosen", "bucket"]).and_then(Json::text).is_some_and(|bucket| bucket.is("hard")));
}

#[test]
fn who_is_named_is_asked() {
    let snapshot = snapshot();
    let body = format!(r#"{{"model":"p/small","messages":[{{"role":"user","content":"{HARD}"}}]}}"#);
    let explanation =
        explain::<&str>("POST", "/v1/chat/completions", &[], body.as_bytes(), Situation::default(), &snapshot);
    assert_eq!(explanation.planned().next(), Some("p/small"));
    assert_eq!(explanation.chosen, None);
}

#[test]
fn who_lacks_what_is_needed_is_not_chosen() {
    let mut snapshot = snapshot();
    snapshot.targets[2].abilities = Abilities::NONE;
    let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
    let explanation = explained(HARD, &[], tools, &snapshot);
    assert_eq!(explanation.planned().collect::<Vec<_>>(), ["p/middling", "p/small"]);
    assert_eq!(explanation.chosen.map(|chosen| (chosen.bucket, chosen.scores)), Some((Bucket::Hard, vec![])));
}

#[test]
fn features_are_kept_where_the_route_says_so() {
    let mut snapshot = snapshot();
    assert_eq!(explained(HARD, &[], "", &snapshot).chosen.map(|chosen| chosen.features), Some(vec![]));
    if let Some(choice) = &mut snapshot.routes[0].choice {
        choice.keep_features = true;
    }
    let chosen = explained(HARD, &[], "", &snapshot).chosen.unwrap();
    let numbers = Features::of_prompt(HARD);
    assert_eq!((chosen.schema, chosen.features.as_slice()), (features::VERSION, numbers.dense()));
}

#[test]
fn the_snapshot_is_read_back_with_its_choice() {
    let mut snapshot = snapshot();
    if let Some(choice) = &mut snapshot.routes[0].choice {
        choice.keep_features = true;
    }
    assert_eq!(Snapshot::read(&snapshot.write()), Ok(snapshot));
}
