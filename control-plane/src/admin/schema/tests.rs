use super::*;
use crate::catalog::known;
use crate::settings::{Problem, Said, SaidRow};
use dragoman_core::snapshot::OnContentPolicy;

/// Rows, and who takes them: everybody (`good`), nobody (`bad`), or all but the reader, which knows more than a schema can say.
/// `tests/tests/rows_schema.rs` asks a JSON Schema validator the same.
const CASES: &str = include_str!("cases.json");

fn read(kind: Kind, row: &Value) -> Result<(), Vec<Problem>> {
    let id = match kind {
        Kind::Price => "local/m@2026-01-01",
        Kind::Suspension => "local/m",
        _ => "p",
    };
    let members = row.as_object().unwrap().clone();
    Said(vec![SaidRow { kind, id: id.into(), members }]).read(&known().unwrap()).map(|_| ())
}

fn schemas() -> Value {
    serde_json::from_str(ROWS).unwrap()
}

/// The words that the reader knows where a row has a member that it does not know.
fn words(kind: Kind, row: Value) -> Vec<String> {
    let problems = read(kind, &row).unwrap_err();
    let message = problems.iter().map(|problem| &problem.message).find(|text| text.contains("no member `zz`")).unwrap();
    let (_, known) = message.split_once("it knows ").unwrap();
    let named = known.split("`, `").map(|word| word.trim_matches('`').to_string());
    let mut words: Vec<String> = named.collect();
    words.sort();
    words
}

#[test]
fn the_schemas_have_the_words_that_the_reader_knows() {
    let places = [
        (Kind::Provider, json!({ "zz": 1 }), ""),
        (Kind::Provider, json!({ "enabled": { "zz": 1 } }), "/properties/enabled/oneOf/1"),
        (Kind::Provider, json!({ "base_url": { "zz": 1 } }), "/properties/base_url/oneOf/1"),
        (Kind::Provider, json!({ "services": [{ "zz": 1 }] }), "/properties/services/items"),
        (Kind::Provider, json!({ "api_key": { "zz": 1 } }), "/properties/api_key"),
        (Kind::Provider, json!({ "service_account": { "zz": 1 } }), "/properties/service_account"),
        (Kind::Provider, json!({ "signing": { "zz": 1 } }), "/properties/signing"),
        (Kind::Provider, json!({ "signing": { "aws": { "zz": 1 } } }), "/properties/signing/properties/aws"),
        (Kind::Model, json!({ "zz": 1 }), ""),
        (Kind::Price, json!({ "zz": 1 }), ""),
        (Kind::Price, json!({ "tiers": [{ "zz": 1 }] }), "/properties/tiers/items"),
        (Kind::Route, json!({ "zz": 1 }), ""),
        (Kind::Route, json!({ "regions": { "zz": 1 } }), "/properties/regions"),
        (Kind::Route, json!({ "choose": { "zz": 1 } }), "/properties/choose"),
        (Kind::Suspension, json!({ "zz": 1 }), ""),
        (Kind::Rule, json!({ "zz": 1 }), ""),
        (Kind::Rule, json!({ "request": { "zz": 1 } }), "/properties/request"),
        (Kind::Rule, json!({ "response": { "zz": 1 } }), "/properties/response"),
        (Kind::Identity, json!({ "zz": 1 }), ""),
        (Kind::Experiment, json!({ "zz": 1 }), ""),
        (Kind::Experiment, json!({ "arms": [{ "zz": 1 }] }), "/properties/arms/items"),
        (Kind::Experiment, json!({ "rollout": { "zz": 1 } }), "/properties/rollout"),
        (Kind::Identity, json!({ "jwt": { "zz": 1 } }), "/properties/jwt"),
        (Kind::Identity, json!({ "mesh": { "zz": 1 } }), "/properties/mesh"),
    ];
    let schemas = schemas();
    for (kind, row, place) in places {
        let schema = &schemas[format!("{}_row", kind.name())];
        let schema = schema.pointer(place).unwrap();
        let mut said: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        // What names the row stands in its id.
        if place.is_empty() {
            said.push(kind.identity().to_string());
            said.extend((kind == Kind::Price).then(|| "from".to_string()));
        }
        said.sort();
        assert_eq!(said, words(kind, row), "{} {place}", kind.name());
        assert_eq!(schema["additionalProperties"], false, "{} {place}", kind.name());
    }
    let alias = schemas["alias_row"]["properties"].as_object().unwrap();
    assert_eq!(alias.keys().collect::<Vec<_>>(), ["to"], "a key and what it stands for");
}

#[test]
fn the_words_to_choose_from_are_those_that_the_reader_knows() {
    use crate::settings::{Modality, Status, Strategy};
    use dragoman_core::catalog::{Abilities, DialectId, Dispatch, Operation};
    use dragoman_core::preferences::Preference;
    use dragoman_core::snapshot::Balance;
    let sayable =
        |name: &&str| Operation::named(name).is_some_and(|one| one != Operation::Generate && !one.is_answered_here());
    let operations = Operation::names().filter(sayable).collect();
    let abilities: Vec<&str> = Abilities::ALL.names().collect();
    let modalities = Modality::ALL.map(Modality::name).to_vec();
    let places = [
        ("/provider_row/properties/services/items/properties/dialect", DialectId::ALL.map(DialectId::name).to_vec()),
        ("/provider_row/properties/services/items/properties/operations/items", operations),
        ("/rule_row/properties/dialects/items", DialectId::ALL.map(DialectId::name).to_vec()),
        ("/model_row/properties/abilities/items", abilities),
        ("/model_row/properties/status", Status::ALL.map(Status::name).to_vec()),
        ("/model_row/properties/input/items", modalities.clone()),
        ("/model_row/properties/output/items", modalities),
        ("/route_row/properties/strategy", Strategy::ALL.map(Strategy::name).to_vec()),
        ("/route_row/properties/balance", Balance::ALL.map(Balance::name).to_vec()),
        ("/route_row/properties/preferences/oneOf/1/items", Preference::ALL.map(Preference::name).to_vec()),
        ("/provider_row/properties/dispatch", Dispatch::ALL.map(Dispatch::name).to_vec()),
        ("/route_row/properties/on_content_policy", OnContentPolicy::ALL.map(OnContentPolicy::name).to_vec()),
    ];
    let schemas = schemas();
    for (place, mut words) in places {
        let mut said: Vec<&str> = schemas.pointer(place).unwrap()["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        said.sort_unstable();
        words.sort_unstable();
        assert_eq!(said, words, "{place}");
    }
}

#[test]
fn the_reader_takes_the_good_rows_and_no_other() {
    let cases: Vec<(String, String, Value)> = serde_json::from_str(CASES).unwrap();
    for (kind, verdict, row) in &cases {
        let read = read(Kind::named(kind).unwrap(), row);
        assert_eq!(read.is_ok(), verdict == "good", "{kind} {row}: {read:?}");
        assert!(["good", "bad", "reader"].contains(&verdict.as_str()), "{verdict}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let components = Components::default().all();
    let text = components.to_string();
    let names = text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    let mut count = 0;
    for name in names {
        assert!(components[name].is_object(), "{name}");
        count += 1;
    }
    assert!(count > 0);
    assert!(Kind::ALL.iter().all(|kind| components[format!("{}_row", kind.name())].is_object()));
}
