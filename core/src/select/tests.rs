use super::*;
use crate::catalog::Origin;
use crate::snapshot::{Family, Route};

fn provider(id: &str, dialect: DialectId) -> Provider {
    Provider {
        id: id.into(),
        cluster: format!("provider_{id}"),
        origin: Origin { tls: false, host: "127.0.0.1".into(), port: 1, base: String::new() },
        services: vec![Service { dialect, prefix: "/v1".into() }],
        credential: String::new(),
        headers: vec![],
        omit: vec![],
        rename: vec![],
    }
}

fn snapshot() -> Snapshot {
    let target = |id: &str, provider| {
        let model = id.split_once('/').unwrap().1.to_string();
        Target { id: id.into(), provider, model, output_limit: 0, context_window: 0 }
    };
    Snapshot::new(
        1,
        vec![
            provider("one", DialectId::ChatCompletions),
            provider("two", DialectId::Messages),
            provider("here", DialectId::ChatCompletions),
        ],
        vec![target("one/big", 0), target("two/big-2", 1)],
        vec![Route { name: "big".into(), candidates: vec![0, 1], loss: Loss::Strict }],
        vec![Family { prefix: "small-".into(), provider: 1 }, Family { prefix: String::new(), provider: 2 }],
    )
    .unwrap()
}

fn ids(model: &str, own_dialect_only: bool) -> Vec<String> {
    let needs = Needs { dialect: DialectId::ChatCompletions, own_dialect_only };
    match plan(model, needs, &snapshot()) {
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
fn a_plan_names_no_target_that_cannot_serve() {
    assert_eq!(ids("big", true), ["one/big"]);
    assert_eq!(ids("small-7", true), ["cannot_say"]);
}

#[test]
fn a_hostile_name_goes_nowhere() {
    let long = "a".repeat(MAX_MODEL_NAME + 1);
    for name in ["", "../../x", "http://evil", "m\r\nx: 1", "{{7*7}}", "a?b", "a%2fb", "ü", &long, "one/../x"] {
        assert_eq!(ids(name, false), ["model_not_found"], "{name:?}");
    }
}
