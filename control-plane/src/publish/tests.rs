use super::*;
use crate::catalog::known;
use dragoman_core::catalog::{Abilities, ThinkingStyle};
use dragoman_core::snapshot::Loss;

fn published(text: &str, set: &[&str]) -> (Snapshot, Vec<String>) {
    let file = File::read("f", text, &known().unwrap()).unwrap();
    let catalog = Catalog::join(&file, &|name| set.contains(&name).then(|| "key".to_string())).unwrap();
    snapshot(7, &catalog, &file).unwrap()
}

fn candidates(snapshot: &Snapshot, name: &str) -> Vec<String> {
    let route = snapshot.route(name).unwrap_or_else(|| panic!("no route {name}"));
    route.candidates.iter().map(|at| snapshot.targets[*at].id.clone()).collect()
}

#[test]
fn a_model_falls_back_to_everybody_who_serves_it() {
    let (snapshot, _) = published("", &["OPENAI_API_KEY", "OPENROUTER_API_KEY"]);
    assert_eq!(candidates(&snapshot, "gpt-4o"), ["openai/gpt-4o", "openrouter/openai/gpt-4o"]);
    let (snapshot, _) = published("", &["GROQ_API_KEY", "TOGETHER_API_KEY"]);
    assert_eq!(candidates(&snapshot, "gpt-oss-120b"), ["groq/openai/gpt-oss-120b", "together/openai/gpt-oss-120b"]);
}

#[test]
fn a_providers_own_name_means_that_provider_first() {
    let (snapshot, _) = published("", &["GROQ_API_KEY", "TOGETHER_API_KEY"]);
    assert_eq!(
        candidates(&snapshot, "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ["together/meta-llama/Llama-3.3-70B-Instruct-Turbo", "groq/llama-3.3-70b-versatile"]
    );
}

#[test]
fn a_name_that_begins_with_a_registered_provider_means_that_provider() {
    let (both, _) = published("", &["OPENAI_API_KEY", "OPENROUTER_API_KEY"]);
    assert!(both.route("openai/gpt-4o").is_none() && both.target("openai/gpt-4o").is_some());
    let (one, _) = published("", &["OPENROUTER_API_KEY"]);
    assert_eq!(candidates(&one, "openai/gpt-4o"), ["openrouter/openai/gpt-4o"]);
}

#[test]
fn a_route_lists_targets_and_models_in_its_order() {
    let (snapshot, warnings) = published(
        "[[route]]\nname = \"auto\"\ncandidates = [\"openrouter/x/y\", \"gpt-4o\", \"anthropic/claude-opus-5\"]\nloss = \"strict\"\n[aliases]\nfast = \"auto\"\ntop = \"gpt-4o\"\n",
        &["OPENAI_API_KEY", "OPENROUTER_API_KEY"],
    );
    assert_eq!(candidates(&snapshot, "auto"), ["openrouter/x/y", "openai/gpt-4o", "openrouter/openai/gpt-4o"]);
    assert_eq!(candidates(&snapshot, "fast"), candidates(&snapshot, "auto"));
    assert_eq!(candidates(&snapshot, "top"), ["openai/gpt-4o", "openrouter/openai/gpt-4o"]);
    assert_eq!(snapshot.route("fast").map(|route| route.loss), Some(Loss::Strict));
    assert_eq!(warnings, ["route auto: nobody can be asked for anthropic/claude-opus-5 now"]);
}

#[test]
fn families_are_those_of_registered_providers_longest_first_and_local_takes_the_rest() {
    let (snapshot, _) = published("", &["OPENAI_API_KEY", "ANTHROPIC_API_KEY"]);
    let prefixes: Vec<&str> = snapshot.families.iter().map(|family| family.prefix.as_str()).collect();
    assert!(prefixes.is_sorted_by_key(|prefix| std::cmp::Reverse(prefix.len())));
    assert!(prefixes.contains(&"chatgpt-") && prefixes.contains(&"claude-") && !prefixes.contains(&"gemini-"));
    let last = snapshot.families.last().unwrap();
    assert_eq!((last.prefix.as_str(), snapshot.providers[last.provider].id.as_str()), ("", "local"));
}

#[test]
fn a_target_knows_what_its_model_can_do_and_one_that_nobody_described_can_do_everything() {
    let (snapshot, _) = published(
        "[[provider]]\nid = \"c\"\nbase_url = \"http://h\"\nmodels = [\"plain\", \"told\"]\n[[model]]\nname = \"told\"\n\
         abilities = [\"tools\", \"images\"]\nthinking = \"tokens\"\nunsigned = \"skip\"\n",
        &["GEMINI_API_KEY"],
    );
    let told = snapshot.target("c/told").unwrap();
    assert_eq!(told.abilities, Abilities::TOOLS.and(Abilities::IMAGES));
    assert_eq!((told.thinking, told.unsigned.as_str()), (ThinkingStyle::Tokens, "skip"));
    let plain = snapshot.target("c/plain").unwrap();
    assert_eq!(
        (plain.abilities, plain.thinking, plain.unsigned.as_str()),
        (Abilities::ALL, ThinkingStyle::Unknown, "")
    );
    let shipped = snapshot.target("gemini/gemini-3.5-flash").unwrap();
    assert_eq!(shipped.thinking, ThinkingStyle::Words);
    assert!(shipped.abilities.cover(Abilities::AUDIO) && !shipped.unsigned.is_empty());
}

#[test]
fn how_a_provider_differs_reaches_the_filters() {
    let file = File::read("f", "", &known().unwrap()).unwrap();
    let set = [("VERTEX_ACCESS_TOKEN", "t"), ("GOOGLE_CLOUD_PROJECT", "p1"), ("GOOGLE_CLOUD_LOCATION", "us-east5")];
    let environment = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
    let catalog = Catalog::join(&file, &environment).unwrap();
    let (snapshot, _) = snapshot(1, &catalog, &file).unwrap();
    let row = &snapshot.providers[snapshot.provider_index("vertex-claude").unwrap()];
    let paths = row.services[0].paths.as_ref().unwrap();
    assert_eq!(
        paths.streamed,
        "/v1/projects/p1/locations/us-east5/publishers/anthropic/models/{model}:streamRawPredict"
    );
    assert_eq!(row.origin.host, "us-east5-aiplatform.googleapis.com");
    assert_eq!(row.set, [("anthropic_version".to_string(), "\"vertex-2023-10-16\"".to_string())]);
    assert_eq!(Snapshot::read(&snapshot.write()), Ok(snapshot));
}

#[test]
fn the_document_is_read_back_by_the_filters_code() {
    let (snapshot, _) = published("", &["OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY"]);
    assert_eq!(Snapshot::read(&snapshot.write()), Ok(snapshot));
}

#[test]
fn no_credential_stands_in_the_document() {
    let file = File::default();
    let catalog = Catalog::join(&file, &|name| (name == "OPENAI_API_KEY").then(|| "sk-very-secret".into())).unwrap();
    let document = snapshot(1, &catalog, &file).unwrap().0.write();
    assert!(!String::from_utf8(document).unwrap().contains("sk-very-secret"));
}

#[test]
fn the_demo_is_listed_as_a_model() {
    use crate::catalog::{Registered, demo_model};
    let file = File::read("f", "", &known().unwrap()).unwrap();
    let mut catalog = Catalog::join(&file, &|_| None).unwrap();
    let origin = dragoman_core::catalog::Origin { tls: false, host: "127.0.0.1".into(), port: 1, base: String::new() };
    catalog.providers.insert(0, Registered::demo(origin));
    catalog.models.insert(0, demo_model());
    let (snapshot, _) = snapshot(1, &catalog, &file).unwrap();
    assert_eq!(candidates(&snapshot, "demo"), ["demo/demo"]);
}
