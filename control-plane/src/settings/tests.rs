use dragoman_core::catalog::{Dispatch, Operation};
use dragoman_core::snapshot::{Affinity, Balance};

use super::*;

fn read(name: &str, text: &str) -> Result<File, Mistakes> {
    let known = Known {
        providers: ["openai".to_string(), "together".into()].into(),
        models: ["gpt-5-mini".to_string()].into(),
        ..Known::default()
    };
    File::read(name, text, &known)
}

fn mistakes(text: &str) -> Vec<String> {
    match read("f.toml", text) {
        Ok(file) => panic!("read without mistakes: {file:?}"),
        Err(mistakes) => mistakes.list.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_example_means_the_same_as_no_file() {
    assert_eq!(read("example", EXAMPLE), Ok(File::default()));
}

#[test]
fn the_example_uncommented_is_a_good_file() {
    let open = |line: &str| {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let rest = line.trim_start();
        let toml = rest.starts_with(['[', '{', ']'])
            || rest
                .split_once(" = ")
                .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '2'));
        if toml { line.to_string() } else { String::new() }
    };
    // The row that takes `openai` away and the row of one's own stand under their own headings.
    let text: String = EXAMPLE.lines().map(|line| open(line) + "\n").collect();
    let file = read("example", &text).unwrap();
    assert_eq!(file.limits, Limits::default());
    assert_eq!(file.listen, Listen::default());
    assert_eq!(file.providers.len(), 3);
    assert_eq!(file.providers[1].services.as_ref().map(Vec::len), Some(2));
    assert_eq!(file.identities.len(), 1);
    assert_eq!((file.routes.len(), file.models.len(), file.aliases.len(), file.prices.len()), (2, 1, 1, 1));
    assert_eq!((file.experiments.len(), file.experiments[0].rollout.is_some()), (1, true));
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let found = mistakes(
        r#"
unknown = 1
[listen]
data = "nowhere"
admin = "0.0.0.0:9901"
[limits]
first_event_timeout = 5
[[provider]]
base_url = "ftp://x"
api_key = "sk-very-secret"
auth = "Bearer {key}"
services = [{ dialect = "smoke" }]
[[route]]
name = "r"
candidates = []
loss = "perhaps"
"#,
    );
    let lines: Vec<&str> = found.iter().map(|mistake| mistake.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["2", "3", "4", "7", "8", "9", "10", "11", "12", "13", "16"], "{found:#?}");
    assert!(
        found.iter().all(|mistake| !mistake.contains("sk-very-secret")),
        "a secret in the wrong place is not printed"
    );
}

fn places(found: &[String]) -> Vec<String> {
    found.iter().map(|mistake| mistake.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect()
}

#[test]
fn what_is_wrong_with_how_a_provider_differs_is_reported_with_its_place() {
    let found = mistakes(
        r#"
[[provider]]
id = "a"
enabled = "yes"
base_url = "https://{host}/{model}"
set = { when = 2026-01-01 }
signing = { aws = { service = "s" } }
[[provider.services]]
dialect = "messages"
prefix = "/{model}"
operations = ["embed", "generate", "smoke"]
path = "models/{model}"
[[provider.services]]
dialect = "messages"
path = "/{model}/{model}"
stream_path = "/{nobody}"
[provider.variables]
model = "x"
host = { env = "H", cases = { "*" = "h" } }
wrong = "a/b"
[[model]]
name = "m"
abilities = ["tools", "magic"]
thinking = "hard"
"#,
    );
    assert_eq!(
        places(&found),
        [
            "4:11", "5:12", "6:16", "7:11", "8:1", "10:10", "11:24", "11:36", "12:8", "15:8", "16:15", "18:1", "19:1",
            "20:9", "23:23", "24:12"
        ],
        "{found:#?}"
    );
    let said = |place: &str| found.iter().find(|mistake| mistake.starts_with(place)).unwrap();
    assert!(said("11:36").contains("count_tokens") && !said("11:36").contains("`models`"), "{}", said("11:36"));
    assert!(said("16:15").contains("`{nobody}`") && said("23:23").contains("json_schema"), "{found:#?}");
}

#[test]
fn how_a_provider_differs_is_read() {
    let file = read(
        "f",
        r#"
loss = "silent"
[[provider]]
id = "a"
enabled = { env = "WANTED" }
base_url = "https://{host}"
variables = { host = { env = ["H1", "H2"], default = "h" } }
set = { text = "a\"b", number = 1.5, list = [true, 2], table = { x = {} } }
services = [{ dialect = "messages", operations = ["embed", "embed"], path = "/{model}:raw", stream_path = "/{model}:raw" }]
signing = { aws = { service = "s", region = "r" } }
"#,
    )
    .unwrap();
    let row = &file.providers[0];
    assert_eq!(row.enabled, Some(Enabled::With(vec!["WANTED".into()])));
    let set: Vec<String> = row.set.iter().flatten().map(|(name, json)| format!("{name}={json}")).collect();
    assert_eq!(set, [r#"list=[true,2]"#, "number=1.5", r#"table={"x":{}}"#, r#"text="a\"b""#]);
    let service = &row.services.as_ref().unwrap()[0];
    assert_eq!(service.operations, [Operation::Embed]);
    assert_eq!(service.paths.as_ref().map(|paths| paths.whole.as_str()), Some("/{model}:raw"));
    assert_eq!((row.signing.as_ref().unwrap().region.as_str(), file.loss), ("r", Loss::Silent));
}

#[test]
fn a_shipped_row_lends_its_variables_to_the_row_that_changes_it() {
    let mut known = Known::default();
    known.providers.insert("cloud".into());
    known.variables.insert(("cloud".into(), "region".into()));
    let text = "[[provider]]\nid = \"cloud\"\nbase_url = \"https://{region}.example\"\n";
    assert!(File::read("f", text, &known).is_ok());
    assert!(File::read("f", text, &Known::default()).is_err());
}

#[test]
fn names_are_unique() {
    let found = mistakes(
        "[[provider]]\nid = \"a\"\n[[provider]]\nid = \"a\"\n[[route]]\nname = \"r\"\ncandidates = [\"a/m\"]\n[aliases]\nr = \"a/m\"\n",
    );
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn a_key_may_have_several_variables_and_a_url_a_default() {
    let file = read(
        "f",
        "[[provider]]\nid = \"g\"\nbase_url = { env = \"U\", default = \"http://h:1/v1\" }\napi_key = { env = [\"A\", \"B\"] }\n",
    )
    .unwrap();
    assert_eq!(file.providers[0].api_key, Some(SecretRef { env: vec!["A".into(), "B".into()] }));
    assert_eq!(file.providers[0].base_url.as_ref().and_then(|url| url.env.clone()), Some("U".to_string()));
}

#[test]
fn what_a_file_names_must_exist() {
    let found = mistakes(
        "[[route]]\nname = \"r\"\ncandidates = [\"openai/gpt-5\", \"nobody/m\", \"gpt-7\"]\n[[model]]\nname = \"m\"\noffers = [\"none/m\"]\n[aliases]\na = \"r\"\nb = \"x\"\n",
    );
    assert_eq!(places(&found), ["3:31", "3:43", "6:11", "9:1"], "{found:#?}");
}

#[test]
fn without_the_catalogue_its_names_are_unknown() {
    assert_eq!(mistakes("catalog = false\n[aliases]\na = \"openai/gpt-5\"\n").len(), 1);
}

#[test]
fn where_models_are_listed_is_a_path_of_the_host_or_nowhere() {
    let row = |path: &str| read("f", &format!("[[provider]]\nid = \"corp\"\nmodels_path = {path}\n"));
    let said = |path: &str| row(path).unwrap().providers[0].models_path.clone();
    assert_eq!(said("\"/api/tags?all=1\""), Some(ModelsPath::At("/api/tags?all=1".into())));
    assert_eq!(said("false"), Some(ModelsPath::Never));
    for wrong in ["true", "1", "\"\"", "\"models\"", "\"/a b\"", "\"/a#b\"", "\"/{model}\"", "\"/{region}\""] {
        assert!(row(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_a_model_is_and_who_follows_it_is_read() {
    let file = read(
        "f",
        "fallback = \"same_provider\"\n[[model]]\nname = \"m\"\nstatus = \"beta\"\ninput = [\"image\", \"text\", \"text\"]\noutput = [\"embedding\"]\n\
         abilities = [\"caching\"]\n[[route]]\nname = \"r\"\ncandidates = [\"m\"]\nstrategy = \"cost\"\n",
    )
    .unwrap();
    let model = &file.models[0];
    assert_eq!(
        (model.status(), model.input(), model.output()),
        (Status::Beta, &[Modality::Text, Modality::Image][..], &[Modality::Embedding][..])
    );
    assert_eq!((file.fallback, file.routes[0].strategy), (Strategy::SameProvider, Some(Strategy::Cost)));
    let found = mistakes(
        "fallback = \"best\"\n[[model]]\nname = \"m\"\nstatus = \"old\"\ninput = [\"smell\"]\noutput = \"text\"\n\
         [[route]]\nname = \"r\"\ncandidates = [\"m\"]\nstrategy = \"dice\"\nweight = 3\n",
    );
    assert_eq!(places(&found), ["1:12", "4:10", "5:10", "6:10", "10:12", "11:1"], "{found:#?}");
}

#[test]
fn how_a_route_is_shared_and_when_a_provider_is_asked_is_read() {
    let provider = "[[provider]]\nid = \"p\"\nbase_url = \"http://h\"\n";
    let route = "[[route]]\nname = \"r\"\ncandidates = [\"p/m\", \"p/n\"]\n";
    let text = format!(
        "{provider}dispatch = \"exclusive\"\nshare = 20\nregion = \"eu\"\n{route}balance = \"least_latency\"\nweights = {{ \"p/m\" = 3 }}\n\
         affinity = \"header:x-session\"\nslow_start = \"30s\"\nregions = {{ require = [\"eu\"], prefer = [\"eu-west\"] }}\n"
    );
    let file = read("f", &text).unwrap();
    let row = &file.providers[0];
    assert_eq!((row.dispatch, row.share, row.region.as_deref()), (Some(Dispatch::Exclusive), Some(20), Some("eu")));
    let pool = &file.routes[0].pool;
    assert_eq!((pool.balance, pool.weights[0].1), (Balance::LeastLatency, 3));
    assert_eq!(pool.affinity, Some(Affinity::Header("x-session".into())));
    assert_eq!((pool.slow_start, pool.regions.required.len()), (Some(Duration::from_secs(30)), 1));
    let found = mistakes(&format!(
        "{provider}dispatch = \"now\"\nshare = 101\nregion = \"e u\"\n{route}balance = \"dice\"\nweights = {{ m = 3 }}\n\
         affinity = \"cookie\"\nslow_start = \"soon\"\nregions = {{ require = [] }}\n"
    ));
    assert_eq!(places(&found), ["4:12", "5:9", "6:10", "10:11", "11:13", "12:12", "13:14", "14:11"], "{found:#?}");
}

#[test]
fn routes_and_aliases_may_name_one_another_but_not_in_a_circle() {
    let route = |name: &str, candidates: &str| format!("[[route]]\nname = \"{name}\"\ncandidates = [{candidates}]\n");
    let good = route("a", "\"b\", \"openai/x\"")
        + &route("b", "\"c\"")
        + &route("gpt-5-mini", "\"gpt-5-mini\", \"b\"")
        + "[aliases]\nc = \"gpt-5-mini\"\n";
    let found = mistakes(&good);
    assert_eq!(found, ["9:29: `b` leads back to itself: b → c → gpt-5-mini → b"]);
    let good = route("a", "\"b\", \"openai/x\"")
        + &route("b", "\"c\"")
        + &route("gpt-5-mini", "\"gpt-5-mini\"")
        + "[aliases]\nc = \"gpt-5-mini\"\nd = \"c\"\n";
    assert!(read("f", &good).is_ok(), "a route may stand before the model of its own name");
    let found = mistakes(&(route("a", "\"b\"") + &route("b", "\"a\"") + &route("self", "\"self\"")));
    assert_eq!(found, ["6:15: `a` leads back to itself: a → b → a", "9:15: `self` leads back to itself: self → self"]);
}

#[test]
fn a_chain_of_names_has_an_end() {
    let chain = |length: usize| {
        let link = |at: usize| format!("n{at} = \"n{}\"\n", at + 1);
        format!("[aliases]\n{}n{length} = \"openai/x\"\n", (1..length).map(link).collect::<String>())
    };
    assert!(read("f", &chain(16)).is_ok());
    assert_eq!(mistakes(&chain(17)).len(), 1);
    assert_eq!(mistakes(&chain(5000)).len(), 1, "and no stack is too small for it");
}
