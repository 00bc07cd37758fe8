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
    assert_eq!(file.providers.len(), 2);
    assert_eq!(file.providers[1].services.as_ref().map(Vec::len), Some(2));
    assert_eq!((file.routes.len(), file.models.len(), file.aliases.len()), (1, 1, 1));
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
    let places: Vec<String> =
        found.iter().map(|mistake| mistake.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(places, ["3:31", "3:43", "6:11", "9:1"], "{found:#?}");
}

#[test]
fn without_the_catalogue_its_names_are_unknown() {
    assert_eq!(mistakes("catalog = false\n[aliases]\na = \"openai/gpt-5\"\n").len(), 1);
}
