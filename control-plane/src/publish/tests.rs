use super::*;
use crate::catalog::known;
use dragoman_core::catalog::{Abilities, Dispatch, ThinkingStyle};
use dragoman_core::snapshot::{Balance, Loss};

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

const TWO: &str = "catalog = false\n[[provider]]\nid = \"p\"\nbase_url = \"http://p\"\nfamilies = [\"fam-\"]\n\
                   [[provider]]\nid = \"q\"\nbase_url = \"http://q\"\n\
                   [[model]]\nname = \"m\"\nabilities = [\"tools\"]\ncontext_window = 9\noffers = [\"p/m1\"]\n\
                   [[model]]\nname = \"n\"\nabilities = [\"tools\"]\ncontext_window = 9\noffers = [\"q/n1\", \"p/n1\"]\n";

fn told(extra: &str) -> (Snapshot, Vec<String>) {
    published(&format!("{extra}{TWO}"), &[])
}

fn asked(snapshot: &Snapshot, model: &str) -> Vec<String> {
    use dragoman_core::catalog::{DialectId, Operation};
    use dragoman_core::select::{Needs, plan};
    let snapshot = Snapshot::read(&snapshot.write()).unwrap();
    let needs = Needs::only(DialectId::ChatCompletions, Operation::Generate);
    plan(model, needs, &snapshot).map(|plan| plan.targets.into_iter().map(|t| t.id).collect()).unwrap_or_default()
}

#[test]
fn a_disabled_model_is_asked_under_none_of_its_names() {
    let row = "[[model]]\nname = \"m\"\nstatus = \"disabled\"\noffers = [\"p/m1\"]\n[[route]]\nname = \"r\"\ncandidates = [\"m\", \"p/m1\", \"n\"]\n";
    let (snapshot, warnings) =
        published(&TWO.replace("[[model]]\nname = \"m\"\n", "[[model]]\nname = \"m\"\nstatus = \"disabled\"\n"), &[]);
    for name in ["m", "m1", "p/m1", "p:m1"] {
        assert!(asked(&snapshot, name).is_empty(), "{name}");
    }
    assert_eq!((asked(&snapshot, "p/other"), warnings.len()), (vec!["p/other".to_string()], 0));
    let (snapshot, warnings) = published(
        &format!(
            "{}{row}",
            TWO.replace(
                "[[model]]\nname = \"m\"\nabilities = [\"tools\"]\ncontext_window = 9\noffers = [\"p/m1\"]\n",
                ""
            )
        ),
        &[],
    );
    assert_eq!(candidates(&snapshot, "r"), ["q/n1", "p/n1"]);
    assert_eq!(warnings, ["route r: nobody can be asked for m now", "route r: nobody can be asked for p/m1 now"]);
}

#[test]
fn what_has_no_price_is_not_asked_where_it_must_have_one() {
    let priced = |target: &str| format!("[[price]]\ntarget = \"{target}\"\ninput = 1\noutput = 1\n");
    let text = |rows: &str| format!("{TWO}{rows}[pricing]\nunpriced = \"refuse\"\n");
    let (snapshot, warnings) = published(&text(&(priced("n") + &priced("p/only"))), &[]);
    assert_eq!(candidates(&snapshot, "n"), ["q/n1", "p/n1"]);
    for name in ["m", "p/m1", "p/unlisted", "q/unlisted", "fam-x"] {
        assert!(asked(&snapshot, name).is_empty(), "{name}");
    }
    assert_eq!(asked(&snapshot, "p/only"), ["p/only"], "a price is enough to be known");
    assert!(snapshot.families.is_empty());
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    assert!(warnings.contains(&"p/m1: left out, for it has no price".to_string()), "{warnings:#?}");
    let (snapshot, warnings) = published(&text(&(priced("p/*") + &priced("q/*"))), &[]);
    assert_eq!(
        (asked(&snapshot, "fam-x"), asked(&snapshot, "q/unlisted")),
        (vec!["p/fam-x".into()], vec!["q/unlisted".into()])
    );
    assert_eq!(warnings, [""; 0]);
    let (snapshot, _) = told("");
    assert_eq!(asked(&snapshot, "p/unlisted"), ["p/unlisted"], "counted at the ceiling");
}

#[test]
fn a_price_that_has_ended_is_none() {
    let text = format!(
        "{TWO}[[price]]\ntarget = \"q/*\"\nuntil = \"2026-01-01\"\ninput = 1\noutput = 1\n[pricing]\nunpriced = \"refuse\"\n"
    );
    let file = File::read("f", &text, &known().unwrap()).unwrap();
    let catalog = Catalog::join(&file, &|_| None).unwrap();
    let targets = |at_ms| snapshot_at(1, &catalog, &file, at_ms).unwrap().0.targets.len();
    assert_eq!((targets(1_767_225_599_999), targets(1_767_225_600_000)), (1, 0));
}

#[test]
fn a_strategy_adds_those_who_could_stand_in() {
    let route = |strategy: &str| format!("{TWO}[[route]]\nname = \"r\"\ncandidates = [\"m\"]\n{strategy}");
    let listed = |text: &str, name: &str| candidates(&published(text, &[]).0, name);
    assert_eq!(listed(&route(""), "r"), ["p/m1"]);
    assert_eq!(listed(&route("strategy = \"same_provider\"\n"), "r"), ["p/m1", "p/n1"]);
    assert_eq!(listed(&route("strategy = \"capability\"\n"), "r"), ["p/m1", "q/n1", "p/n1"]);
    let everywhere = format!("fallback = \"cost\"\n{TWO}[aliases]\na = \"m\"\n");
    assert_eq!(listed(&everywhere, "m"), ["p/m1", "q/n1", "p/n1"]);
    assert_eq!(listed(&everywhere, "a"), ["p/m1", "q/n1", "p/n1"]);
    assert_eq!(listed(&everywhere, "n1"), ["q/n1", "p/n1", "p/m1"]);
}

#[test]
fn five_are_added_and_no_more() {
    let more: String = (0..9)
        .map(|at| {
            format!(
                "[[model]]\nname = \"x{at}\"\nabilities = [\"tools\"]\ncontext_window = 9\noffers = [\"q/x{at}\"]\n"
            )
        })
        .collect();
    let (snapshot, _) = published(&format!("fallback = \"capability\"\n{TWO}{more}"), &[]);
    assert_eq!(candidates(&snapshot, "m").len(), 6);
    assert_eq!(candidates(&snapshot, "n").len(), 7);
}

#[test]
fn a_candidate_may_be_a_route_or_an_alias() {
    let text = format!(
        "{TWO}[[route]]\nname = \"outer\"\ncandidates = [\"short\", \"inner\", \"p/own\"]\n\
         [[route]]\nname = \"inner\"\ncandidates = [\"n\"]\nloss = \"strict\"\n\
         [[route]]\nname = \"m\"\ncandidates = [\"m\", \"inner\"]\n[aliases]\nshort = \"m\"\nlonger = \"inner\"\n"
    );
    let (snapshot, warnings) = published(&text, &[]);
    assert_eq!(candidates(&snapshot, "outer"), ["p/m1", "q/n1", "p/n1", "p/own"]);
    assert_eq!(candidates(&snapshot, "m"), ["p/m1", "q/n1", "p/n1"], "a route's own name is the model's");
    let loss = |name: &str| snapshot.route(name).map(|route| route.loss);
    assert_eq!((loss("outer"), loss("longer")), (Some(Loss::Warn), Some(Loss::Strict)));
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn a_circle_that_no_reader_refused_ends() {
    let text = format!(
        "{TWO}[[route]]\nname = \"a\"\ncandidates = [\"m\"]\n[[route]]\nname = \"b\"\ncandidates = [\"a\", \"n\"]\n"
    );
    let mut file = File::read("f", &text, &known().unwrap()).unwrap();
    file.routes[0].candidates[0].value = "b".into();
    let catalog = Catalog::join(&file, &|_| None).unwrap();
    let (snapshot, warnings) = snapshot(1, &catalog, &file).unwrap();
    assert_eq!(candidates(&snapshot, "b"), ["q/n1", "p/n1"]);
    assert!(warnings.iter().any(|warning| warning.contains("a → b → a")), "{warnings:#?}");
}

const POOL: &str = "[[provider]]\nid = \"a\"\nbase_url = \"http://a\"\nregion = \"eu\"\nmodels = [\"m\"]\n\
    [[provider]]\nid = \"b\"\nbase_url = \"http://b\"\ndispatch = \"fallback\"\nshare = 20\nmodels = [\"m\", \"n\"]\n\
    [[route]]\nname = \"inner\"\ncandidates = [\"a/m\"]\nstrategy = \"same_provider\"\n";

#[test]
fn a_pool_is_what_is_written_and_who_stands_in_comes_after_it() {
    let text = format!(
        "{POOL}[[model]]\nname = \"m\"\n[[model]]\nname = \"n\"\noffers = [\"b/n\", \"a/n\"]\n\
         [[route]]\nname = \"r\"\ncandidates = [\"inner\", \"b/m\"]\nbalance = \"weighted\"\nweights = {{ \"b/m\" = 3, \"c/x\" = 1 }}\n\
         slow_start = \"2s\"\nregions = {{ prefer = [\"eu\"] }}\n[aliases]\nalso = \"r\"\n"
    );
    let (snapshot, warnings) = published(&text, &[]);
    assert_eq!(candidates(&snapshot, "inner"), ["a/m", "a/n"]);
    assert_eq!(snapshot.route("inner").unwrap().pool.size, 1);
    for name in ["r", "also"] {
        assert_eq!(candidates(&snapshot, name), ["a/m", "b/m", "a/n"]);
        let route = snapshot.route(name).unwrap();
        let pool =
            Pool { size: 2, balance: Balance::Weighted, weights: vec![1, 3], slow_start_ms: 2000, affinity: None };
        assert_eq!((&route.pool, &route.regions.preferred[..]), (&pool, &["eu".to_string()][..]));
    }
    assert_eq!(warnings, ["route r: c/x has a weight, and is none of its candidates now"]);
    let rows: Vec<_> =
        snapshot.providers.iter().map(|row| (row.id.as_str(), row.dispatch, row.share, row.region.as_str())).collect();
    assert_eq!(rows[..2], [("a", Dispatch::Pooled, None, "eu"), ("b", Dispatch::Fallback, Some(20), "")]);
    let again = Snapshot::read(&snapshot.write()).unwrap();
    assert_eq!(again, snapshot);
}

#[test]
fn a_route_that_requires_a_region_without_anybody_is_told_of() {
    let (snapshot, warnings) = published(
        &format!("{POOL}[[route]]\nname = \"r\"\ncandidates = [\"a/m\"]\nregions = {{ require = [\"us\"] }}\n"),
        &[],
    );
    assert_eq!(candidates(&snapshot, "r"), ["a/m"], "nobody is asked, and the name is not somebody else's");
    assert_eq!(warnings, ["route r: nobody answers, for none of its candidates is in us"]);
}
