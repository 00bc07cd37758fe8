use super::*;
use crate::health::{Fleet, Force, Health, Told};
use crate::preferences::Preferences;
use crate::snapshot::{Family, Route};

fn snapshot() -> Snapshot {
    let target = |id: &str, provider| {
        let model = id.split_once('/').unwrap().1.to_string();
        Target::unlisted(id.into(), provider, &model)
    };
    Snapshot::new(
        1,
        vec![
            Provider::plain("one", DialectId::ChatCompletions),
            Provider::plain("two", DialectId::Messages),
            Provider::plain("here", DialectId::ChatCompletions),
        ],
        vec![target("one/big", 0), target("two/big-2", 1)],
        vec![Route { name: "big".into(), candidates: vec![0, 1], loss: Loss::Strict, ..Route::default() }],
        vec![Family { prefix: "small-".into(), provider: 1 }, Family { prefix: String::new(), provider: 2 }],
    )
    .unwrap()
}

fn ids(model: &str, tied: bool) -> Vec<String> {
    let needs = Needs::only(DialectId::ChatCompletions, Operation::Generate);
    chosen(model, Needs { tied: tied.then_some("n"), ..needs }, &snapshot())
}

fn chosen(model: &str, needs: Needs, snapshot: &Snapshot) -> Vec<String> {
    match plan(model, needs, snapshot) {
        Ok(plan) => plan.targets.into_iter().map(|target| target.id).collect(),
        Err(refusal) => vec![refusal.code().to_string()],
    }
}

#[test]
fn a_name_means_a_route_then_a_provider_then_a_family_then_the_last_resort() {
    assert_eq!(ids("big", false), ["one/big", "two/big-2"]);
    assert_eq!(ids("two/big", false), ["two/big", "one/big", "two/big-2"]);
    assert_eq!(ids("one:big", false), ["one/big", "two/big-2"]);
    assert_eq!(ids("small-7", false), ["two/small-7"]);
    assert_eq!(ids("anything", false), ["here/anything"]);
    assert_eq!(ids("qwen/qwen:8b", false), ["here/qwen/qwen:8b"]);
}

#[test]
fn what_is_withheld_is_not_asked_by_name() {
    let mut snapshot = snapshot();
    snapshot.withheld = ["two/*".to_string(), "here/secret".into()].into();
    let snapshot = Snapshot::read(&snapshot.write()).unwrap();
    let chosen = |model: &str| chosen(model, Needs::only(DialectId::ChatCompletions, Operation::Generate), &snapshot);
    assert_eq!(chosen("two/big-2"), ["two/big-2"], "a target is listed on purpose");
    assert_eq!(chosen("two/other"), ["model_not_found"]);
    assert_eq!(chosen("small-7"), ["model_not_found"]);
    assert_eq!(chosen("here/secret"), ["model_not_found"]);
    assert_eq!(chosen("here/open"), ["here/open"]);
}

#[test]
fn a_plan_names_no_target_that_cannot_serve() {
    assert_eq!(ids("big", true), ["one/big"]);
    assert_eq!(ids("small-7", true), ["tied"]);
}

#[test]
fn a_target_without_what_the_request_requires_is_not_asked() {
    let mut snapshot = snapshot();
    snapshot.targets[0].abilities = Abilities::TOOLS;
    let needs = |abilities| Needs { abilities, ..Needs::only(DialectId::ChatCompletions, Operation::Generate) };
    assert_eq!(chosen("big", needs(Abilities::TOOLS), &snapshot), ["one/big", "two/big-2"]);
    assert_eq!(chosen("big", needs(Abilities::IMAGES), &snapshot), ["two/big-2"]);
    assert_eq!(chosen("big", needs(Abilities::THINKING), &snapshot), ["two/big-2"], "one that thinks is preferred");
    snapshot.targets[1].abilities = Abilities::NONE;
    assert_eq!(chosen("big", needs(Abilities::IMAGES), &snapshot), ["unable"]);
    assert_eq!(
        chosen("big", needs(Abilities::THINKING), &snapshot),
        ["one/big", "two/big-2"],
        "nobody thinks: all may answer"
    );
}

#[test]
fn a_dialect_that_cannot_say_it_is_no_way_to_a_model_that_can() {
    // Messages has no films; two/big-2 could watch one.
    let needs = Needs { abilities: Abilities::VIDEO, ..Needs::only(DialectId::GenerateContent, Operation::Generate) };
    assert_eq!(chosen("two/big-2", needs, &snapshot()), ["unable"]);
}

#[test]
fn a_conversation_that_does_not_fit_goes_where_it_does() {
    let mut snapshot = snapshot();
    snapshot.targets[0].context_window = 1000;
    let needs = |tokens| Needs { tokens, ..Needs::only(DialectId::ChatCompletions, Operation::Generate) };
    assert_eq!(chosen("big", needs(1000), &snapshot), ["one/big", "two/big-2"]);
    assert_eq!(chosen("big", needs(1001), &snapshot), ["two/big-2"]);
    snapshot.targets[1].context_window = 900;
    assert_eq!(chosen("big", needs(5000), &snapshot), ["one/big", "two/big-2"], "an estimate refuses nobody");
}

#[test]
fn what_is_relayed_goes_to_who_does_it_in_the_clients_dialect() {
    let mut snapshot = snapshot();
    let needs = |operation| Needs::only(DialectId::ChatCompletions, operation);
    assert_eq!(chosen("big", needs(Operation::Images), &snapshot), ["unserved"]);
    snapshot.providers[0].services[0].operations = vec![Operation::Images, Operation::Files];
    assert_eq!(chosen("big", needs(Operation::Images), &snapshot), ["one/big"]);
    let kept = |provider| keeper(provider, needs(Operation::Files), &snapshot).map(|plan| plan.targets[0].provider);
    assert_eq!(kept(None), Ok(0));
    assert_eq!(kept(Some("one")), Ok(0));
    assert!(kept(Some("here")).is_err() && kept(Some("nobody")).is_err());
}

#[test]
fn a_hostile_name_goes_nowhere() {
    let long = "a".repeat(MAX_MODEL_NAME + 1);
    for name in ["", "../../x", "http://evil", "m\r\nx: 1", "{{7*7}}", "a?b", "a%2fb", "ü", &long, "one/../x"] {
        assert_eq!(ids(name, false), ["model_not_found"], "{name:?}");
    }
}

/// Three providers of one model each in a pool, and one that stands in for them.
fn pool(change: impl FnOnce(&mut Vec<Provider>, &mut Route)) -> Snapshot {
    let mut providers =
        ["one", "two", "three", "stand-in"].map(|id| Provider::plain(id, DialectId::ChatCompletions)).to_vec();
    let targets = providers.iter().enumerate();
    let targets = targets.map(|(at, row)| Target::unlisted(format!("{}/m", row.id), at, "m")).collect();
    let pool = crate::snapshot::Pool { size: 3, ..Default::default() };
    let mut route = Route { name: "m".into(), candidates: vec![0, 1, 2, 3], pool, ..Route::default() };
    change(&mut providers, &mut route);
    let snapshot = Snapshot::new(1, providers, targets, vec![route], vec![]).unwrap();
    Snapshot::read(&snapshot.write()).unwrap()
}

/// Who is asked, in order, and the verdicts on the others.
fn arranged(model: &str, snapshot: &Snapshot, resting: &[&str]) -> (Vec<String>, Vec<Verdict>) {
    let (pulses, mut rounds) = (crate::health::Pulses::default(), Rounds::default());
    let mut health = Health::default();
    let forced =
        |subject: &&str| Told { subject: (*subject).into(), since_ms: 1, force: Some(Force::Open), ..Told::default() };
    health.learn(Fleet { told: resting.iter().map(forced).collect() }, 0);
    let mut choosing = Choosing { health: Some(&health), ..Choosing::new(&pulses, &mut rounds) };
    let mut judgement = judge(model, Needs::only(DialectId::ChatCompletions, Operation::Generate), snapshot);
    judgement.arrange(0, &Preferences::default(), snapshot, &mut choosing);
    judgement.limit();
    let others = judgement.candidates.iter().filter(|one| !one.is_planned()).map(|one| one.verdict.clone()).collect();
    (judgement.planned().map(|target| target.id.clone()).collect(), others)
}

fn first_letters((asked, others): (Vec<String>, Vec<Verdict>)) -> (String, Vec<Verdict>) {
    (asked.iter().map(|id| &id[..2]).collect::<Vec<_>>().join(" "), others)
}

#[test]
fn who_rests_is_asked_last_and_a_stand_in_after_the_pool() {
    let snapshot = pool(|_, _| {});
    assert_eq!(first_letters(arranged("m", &snapshot, &[])).0, "on tw th st");
    assert_eq!(first_letters(arranged("m", &snapshot, &["one/m"])).0, "tw th st on");
}

#[test]
fn a_fallback_comes_after_all_others_and_one_that_is_off_never() {
    use crate::catalog::Dispatch;
    let snapshot = pool(|providers, _| {
        providers[0].dispatch = Dispatch::Fallback;
        providers[1].dispatch = Dispatch::Off;
    });
    assert_eq!(first_letters(arranged("m", &snapshot, &[])), ("th st on".into(), vec![Verdict::Off]));
    assert_eq!(first_letters(arranged("m", &snapshot, &["three/m", "stand-in/m"])).0, "on th st");
    assert_eq!(first_letters(arranged("one/m", &snapshot, &[])).0, "on th st", "who is named is asked first");
    assert_eq!(arranged("two/m", &snapshot, &[]).0[0], "three/m", "not even by its name");
    assert_eq!(arranged("two/other", &snapshot, &[]), (vec![], vec![Verdict::Off]));
    let needs = Needs::only(DialectId::ChatCompletions, Operation::Generate);
    assert!(keeper(Some("two"), needs, &snapshot).is_err());
    assert_eq!(chosen("two/other", needs, &snapshot), ["model_not_found"]);
}

#[test]
fn while_an_exclusive_one_can_answer_nobody_else_is_asked() {
    use crate::catalog::Dispatch;
    let snapshot = pool(|providers, _| providers[1].dispatch = Dispatch::Exclusive);
    assert_eq!(first_letters(arranged("m", &snapshot, &[])), ("tw".into(), vec![Verdict::NotExclusive; 3]));
    assert_eq!(first_letters(arranged("m", &snapshot, &["two/m"])).0, "on th st tw");
    assert_eq!(first_letters(arranged("three/m", &snapshot, &[])).0, "th tw", "who is named is asked first");
    let stand_in = pool(|providers, _| providers[3].dispatch = Dispatch::Exclusive);
    assert_eq!(
        first_letters(arranged("m", &stand_in, &[])).0,
        "on tw th st",
        "another model is no reason to ask it only"
    );
}

#[test]
fn a_region_is_required_or_preferred() {
    use crate::snapshot::Regions;
    let regions = |required: &[&str], preferred: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
        pool(|providers, route| {
            for (row, region) in providers.iter_mut().zip(["us", "", "eu", "eu"]) {
                row.region = region.into();
            }
            route.regions = Regions { required: list(required), preferred: list(preferred) };
        })
    };
    let required = regions(&["eu"], &[]);
    assert_eq!(first_letters(arranged("m", &required, &[])), ("th st".into(), vec![Verdict::Elsewhere; 2]));
    assert_eq!(first_letters(arranged("m", &regions(&[], &["eu"]), &[])).0, "th on tw st");
    assert_eq!(first_letters(arranged("m", &regions(&["us", "eu"], &["eu"]), &[])).0, "th on st");
    let needs = Needs::only(DialectId::ChatCompletions, Operation::Generate);
    assert_eq!(chosen("m", needs, &regions(&["asia"], &[])), ["out_of_region"]);
    assert_eq!(chosen("one/m", needs, &regions(&["asia"], &[])), ["one/m"], "who is named is not held to it");
}

#[test]
fn the_first_of_a_pool_of_any_size_is_balanced_and_five_are_asked() {
    let ids: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    let providers: Vec<Provider> = ids.iter().map(|id| Provider::plain(id, DialectId::ChatCompletions)).collect();
    let targets = ids.iter().enumerate().map(|(at, id)| Target::unlisted(format!("{id}/m"), at, "m")).collect();
    let pool = crate::snapshot::Pool { balance: crate::snapshot::Balance::RoundRobin, ..Default::default() };
    let route = Route { name: "m".into(), candidates: (0..20).collect(), pool, ..Route::default() };
    let snapshot = Snapshot::new(1, providers, targets, vec![route], vec![]).unwrap();
    let (pulses, mut rounds) = (crate::health::Pulses::default(), Rounds::default());
    let mut firsts = std::collections::HashSet::new();
    for _ in 0..20 {
        let mut judgement = judge("m", Needs::only(DialectId::ChatCompletions, Operation::Generate), &snapshot);
        judgement.arrange(0, &Preferences::default(), &snapshot, &mut Choosing::new(&pulses, &mut rounds));
        judgement.limit();
        assert_eq!(judgement.planned().count(), MAX_ATTEMPTS);
        firsts.insert(judgement.planned().next().unwrap().id.clone());
    }
    assert_eq!(firsts.len(), 20);
}
