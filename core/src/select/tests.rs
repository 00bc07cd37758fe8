use super::*;
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
        vec![Route { name: "big".into(), candidates: vec![0, 1], loss: Loss::Strict }],
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
