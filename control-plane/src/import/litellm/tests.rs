use super::*;
use crate::catalog::{Catalog, Credential, known};

fn import(yaml: &str) -> (File, Imported) {
    let imported = litellm(yaml).unwrap();
    let file = File::read("f", &imported.toml, &known().unwrap()).unwrap();
    (file, imported)
}

fn routes(file: &File) -> Vec<(&str, Vec<&str>)> {
    file.routes
        .iter()
        .map(|row| (row.name.value.as_str(), row.candidates.iter().map(|one| one.value.as_str()).collect()))
        .collect()
}

fn note<'i>(imported: &'i Imported, path: &str) -> &'i str {
    let mut notes = imported.notes.iter();
    let found = notes.find(|note| note.starts_with(&format!("{path}: ")));
    found.unwrap_or_else(|| panic!("nothing is said of {path}: {:#?}", imported.notes))
}

const TEAM: &str = r#"
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
      rpm: 500
  - model_name: gpt-4o
    litellm_params:
      model: azure/team-gpt4o
      api_base: https://team-eu.openai.azure.com/
      api_key: os.environ/AZURE_EU_KEY
      api_version: "2024-10-21"
    model_info:
      base_model: azure/gpt-4o
  - model_name: sonnet
    litellm_params: { model: claude-sonnet-4-5, api_key: "os.environ/ANTHROPIC_API_KEY", weight: 2 }
  - model_name: second-account
    litellm_params: { model: anthropic/claude-haiku-4-5, api_key: os.environ/ANTHROPIC_KEY_2 }
  - model_name: flash
    litellm_params: { model: gemini/gemini-2.5-flash }
router_settings:
  routing_strategy: least-busy
  model_group_alias: { fast: flash, gpt-4: { model: gpt-4o, hidden: true }, lost: nobody, sonnet: flash }
  fallbacks: [{ sonnet: [gpt-4o, nobody] }, { missing: [flash] }]
litellm_settings:
  drop_params: true
  callbacks: [langfuse]
  default_fallbacks: [flash]
general_settings:
  master_key: sk-very-secret
  database_url: postgres://user:hunter2@db/x
environment_variables: { LANGFUSE_SECRET: lf-secret }
"#;

#[test]
fn a_team_with_two_accounts_and_fallbacks() {
    let (file, imported) = import(TEAM);
    let azure = "azure-team-eu.openai.azure.com/team-gpt4o";
    assert_eq!(
        routes(&file),
        [
            ("gpt-4o", vec!["openai/gpt-4o", azure, "gemini/gemini-2.5-flash"]),
            ("sonnet", vec!["anthropic/claude-sonnet-4-5", "openai/gpt-4o", azure, "gemini/gemini-2.5-flash"]),
            ("second-account", vec!["anthropic-anthropic-key-2/claude-haiku-4-5", "gemini/gemini-2.5-flash"]),
            ("flash", vec!["gemini/gemini-2.5-flash"]),
        ]
    );
    let aliases: Vec<_> = file.aliases.iter().map(|(alias, name)| (alias.value.as_str(), name.as_str())).collect();
    assert_eq!(aliases, [("fast", "flash"), ("gpt-4", "gpt-4o")]);
    assert_eq!(file.loss, dragoman_core::snapshot::Loss::Warn);
    for path in [
        "model_list[0].litellm_params.rpm",
        "model_list[1].litellm_params.api_version",
        "model_list[1].model_info",
        "model_list[2].litellm_params.weight",
        "router_settings.routing_strategy",
        "router_settings.model_group_alias.lost",
        "router_settings.model_group_alias.sonnet",
        "router_settings.model_group_alias.gpt-4.hidden",
        "router_settings.fallbacks[0].sonnet[1]",
        "router_settings.fallbacks[1].missing",
        "litellm_settings.callbacks",
        "general_settings.master_key",
        "general_settings.database_url",
        "environment_variables",
    ] {
        note(&imported, path);
    }
    assert_eq!(imported.notes.len(), 14, "{:#?}", imported.notes);
    // What was imported can be asked as it could before.
    let set = ["OPENAI_API_KEY", "AZURE_EU_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_KEY_2", "GEMINI_API_KEY"];
    let catalog = Catalog::join(&file, &|name| set.contains(&name).then(|| format!("key of {name}"))).unwrap();
    assert_eq!(catalog.warnings, Vec::<String>::new());
    let row = |id: &str| catalog.providers.iter().find(|row| row.id == id).unwrap();
    let own = row("azure-team-eu.openai.azure.com");
    assert_eq!((own.origin.host.as_str(), own.origin.base.as_str()), ("team-eu.openai.azure.com", ""));
    assert_eq!(own.services[0].prefix, "/openai/v1");
    let credential = |id: &str| {
        row(id)
            .credential
            .as_ref()
            .and_then(Credential::header)
            .map(|(name, key)| (name.to_string(), key.expose().to_string()))
    };
    assert_eq!(credential(&own.id), Some(("api-key".into(), "key of AZURE_EU_KEY".into())));
    let second = credential("anthropic-anthropic-key-2");
    assert_eq!(second, Some(("x-api-key".into(), "key of ANTHROPIC_KEY_2".into())));
    assert_eq!(row("anthropic-anthropic-key-2").headers, row("anthropic").headers);
}

#[test]
fn nothing_secret_is_copied() {
    let yaml = r#"
model_list:
  - model_name: a
    litellm_params: { model: openai/gpt-4o, api_key: sk-proj-SECRET1, organization: org-SECRET2 }
  - model_name: b
    litellm_params:
      model: openai/corp
      api_base: https://llm.corp.example/v1
      api_key: SECRET3
      extra_headers: { Authorization: "Basic SECRET4" }
      aws_secret_access_key: SECRET5
  - model_name: c
    litellm_params: { model: openai/x, api_base: "https://u:SECRET6@x.example/v1" }
  - model_name: d
    litellm_params: { model: openai/gpt-4o, api_key: sk-proj-SECRET1 }
  - model_name: e
    litellm_params: { model: openai/gpt-4o, api_key: sk-proj-SECRET10 }
  - model_name: f
    litellm_params: { model: groq/x, api_key: SECRET11 }
  - model_name: g
    litellm_params: { model: groq/x, api_key: os.environ/GROQ_API_KEY }
general_settings: { master_key: sk-SECRET7, alerting_args: { hook: https://x/SECRET8 } }
environment_variables: { X: SECRET9 }
"#;
    let (file, imported) = import(yaml);
    let all = format!("{imported:?}");
    assert!(!all.contains("SECRET"), "{all}");
    assert!(note(&imported, "model_list[0].litellm_params.api_key").contains("OPENAI_API_KEY"));
    assert!(note(&imported, "model_list[1].litellm_params.api_key").contains("OPENAI_LLM_CORP_EXAMPLE_API_KEY"));
    note(&imported, "model_list[2].litellm_params.api_base");
    // Two keys are two accounts, and a variable that has a meaning already is not given another.
    let variable = |number: usize| {
        let note = note(&imported, &format!("model_list[{number}].litellm_params.api_key"));
        note.rsplit(' ').next().unwrap().to_string()
    };
    assert_eq!([3, 4, 5].map(variable), ["OPENAI_API_KEY", "OPENAI_2_API_KEY", "GROQ_2_API_KEY"]);
    let candidates: Vec<_> = routes(&file).into_iter().map(|(_, list)| list[0]).collect();
    let expected =
        ["openai/gpt-4o", "openai-llm.corp.example/corp", "openai/gpt-4o", "openai-2/gpt-4o", "groq-2/x", "groq/x"];
    assert_eq!(candidates, expected);
    let row = file.providers.iter().find(|row| row.id == "openai-llm.corp.example").unwrap();
    assert_eq!(row.api_key.as_ref().unwrap().env, ["OPENAI_LLM_CORP_EXAMPLE_API_KEY"]);
    assert!(litellm("a: [SECRET").unwrap_err().find("SECRET").is_none());
    assert!(litellm("SECRET: &a\nSECRET: 1").unwrap_err().find("SECRET").is_none());
}

#[test]
fn servers_of_ones_own() {
    let yaml = r#"
model_list:
  - model_name: llama
    litellm_params: { model: ollama_chat/llama3.2:latest, api_base: "http://gpu-1:11434" }
  - model_name: llama
    litellm_params: { model: ollama/llama3.2 }
  - model_name: qwen
    litellm_params: { model: hosted_vllm/Qwen/Qwen2.5-7B-Instruct, api_base: "http://gpu-2:8000/v1", api_key: none }
  - model_name: studio
    litellm_params: { model: lm_studio/phi-4, api_base: os.environ/STUDIO_URL, api_key: not-needed }
  - model_name: proxy
    litellm_params: { model: openai/corp-model, api_base: "https://llm.corp.example/api" }
  - model_name: messages
    litellm_params: { model: anthropic/claude-x, api_base: "https://proxy.example/v1", api_key: os.environ/PROXY_KEY }
  - model_name: unknown
    litellm_params: { model: deepinfra/meta/llama }
  - model_name: "ollama/*"
    litellm_params: { model: "ollama/*", api_base: "http://gpu-1:11434/v1" }
"#;
    let (file, imported) = import(yaml);
    assert_eq!(
        routes(&file),
        [
            ("llama", vec!["ollama-gpu-1-11434/llama3.2:latest", "ollama/llama3.2"]),
            ("qwen", vec!["vllm-gpu-2-8000/Qwen/Qwen2.5-7B-Instruct"]),
            ("studio", vec!["openai-studio-url/phi-4"]),
            ("proxy", vec!["openai-llm.corp.example/corp-model"]),
            ("messages", vec!["anthropic-proxy.example/claude-x"]),
        ]
    );
    note(&imported, "model_list[3].litellm_params.model");
    note(&imported, "model_list[4].litellm_params.api_key");
    note(&imported, "model_list[6].litellm_params.model");
    assert!(note(&imported, "model_list[7].model_name").contains("ollama-gpu-1-11434/model"));
    assert_eq!(imported.notes.len(), 4, "{:#?}", imported.notes);
    // Nobody's key goes to an address that it was not made for, though it is there.
    let catalog = Catalog::join(&file, &|name| match name {
        "STUDIO_URL" => Some("http://10.0.0.7:1234/v1".into()),
        "OPENAI_API_KEY" | "PROXY_KEY" => Some("sk-1".into()),
        _ => None,
    })
    .unwrap();
    assert_eq!(catalog.warnings, Vec::<String>::new());
    let whole = |id: &str| {
        let row = catalog.providers.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("{id}"));
        let service = &row.services[0];
        let place = format!("{}{}{}", row.origin.authority(), row.origin.base, service.prefix);
        (place, service.dialect.name(), row.services.len(), row.credential.is_some())
    };
    assert_eq!(whole("ollama-gpu-1-11434"), ("gpu-1:11434/v1".into(), "chat_completions", 1, false));
    assert_eq!(whole("ollama"), ("127.0.0.1:11434/v1".into(), "chat_completions", 1, false));
    assert_eq!(whole("vllm-gpu-2-8000"), ("gpu-2:8000/v1".into(), "chat_completions", 1, false));
    assert_eq!(whole("openai-studio-url"), ("10.0.0.7:1234/v1".into(), "chat_completions", 1, false));
    assert_eq!(whole("openai-llm.corp.example"), ("llm.corp.example/api".into(), "chat_completions", 1, false));
    assert_eq!(whole("anthropic-proxy.example"), ("proxy.example/v1".into(), "messages", 1, true));
}

#[test]
fn clouds_with_their_places() {
    let yaml = r#"
defaults: &vertex { vertex_project: our-project, vertex_location: europe-west1 }
model_list:
  - model_name: nova
    litellm_params: { model: bedrock/converse/amazon.nova-pro-v1:0, aws_region_name: eu-central-1 }
  - model_name: nova
    litellm_params: { model: bedrock/us.amazon.nova-pro-v1:0, aws_region_name: os.environ/AWS_REGION_2 }
  - model_name: vertex
    litellm_params: { <<: *vertex, model: vertex_ai/gemini-2.5-pro, vertex_credentials: /secrets/key.json }
  - model_name: vertex
    litellm_params: { <<: *vertex, model: vertex_ai/claude-sonnet-4-5@20250929 }
  - model_name: other
    litellm_params: { model: vertex_ai/meta/llama-4 }
  - model_name: bad
    litellm_params: { model: bedrock/x.y, aws_region_name: "eu/../x" }
litellm_settings: { drop_params: false }
"#;
    let (file, imported) = import(yaml);
    assert_eq!(
        routes(&file),
        [
            ("nova", vec!["bedrock-eu-central-1/amazon.nova-pro-v1:0", "bedrock-aws-region-2/us.amazon.nova-pro-v1:0"]),
            (
                "vertex",
                vec![
                    "vertex-gemini-europe-west1-our-project/gemini-2.5-pro",
                    "vertex-claude-europe-west1-our-project/claude-sonnet-4-5@20250929"
                ]
            ),
        ]
    );
    assert_eq!(file.loss, dragoman_core::snapshot::Loss::Strict);
    for path in [
        "defaults",
        "model_list[2].litellm_params.vertex_credentials",
        "model_list[4].litellm_params.model",
        "model_list[5].litellm_params.aws_region_name",
    ] {
        note(&imported, path);
    }
    let set = |name: &str| match name {
        "AWS_REGION_2" => Some("us-east-1".to_string()),
        "VERTEX_ACCESS_TOKEN" => Some("ya29".into()),
        _ => None,
    };
    let catalog = Catalog::join(&file, &set).unwrap();
    assert_eq!(catalog.warnings, Vec::<String>::new());
    let host = |id: &str| catalog.providers.iter().find(|row| row.id == id).unwrap().origin.host.clone();
    assert_eq!(host("bedrock-eu-central-1"), "bedrock-runtime.eu-central-1.amazonaws.com");
    assert_eq!(host("bedrock-aws-region-2"), "bedrock-runtime.us-east-1.amazonaws.com");
    assert_eq!(host("vertex-claude-europe-west1-our-project"), "europe-west1-aiplatform.googleapis.com");
}

#[test]
fn what_is_no_configuration_is_told() {
    for (wrong, expected) in [
        ("", "no mapping"),
        ("- a", "no mapping"),
        ("a: [", "line "),
        ("a: 1\n---\nb: 2", "no YAML"),
        ("model_list: 7", "no list"),
        ("a: *b", "line "),
        (&format!("a: {}", "[".repeat(4000)), "no YAML"),
        (&"#".repeat(MAX_TEXT + 1), "4 MiB"),
        (&format!("model_list: [{}]", "1,".repeat(MAX_ENTRIES + 1)), "10000"),
        ("x: { <<: 1 }", "mapping"),
    ] {
        let error = litellm(wrong).unwrap_err();
        assert!(error.contains(expected), "{error} is not {expected}");
    }
    let bomb = (1..20).fold("a0: &a0 [x,x,x,x,x,x,x,x]\n".to_string(), |text, n| {
        let last = format!("*a{}", n - 1);
        text + &format!("a{n}: &a{n} [{}]\n", [last.as_str(); 8].join(","))
    });
    assert!(litellm(&bomb).is_err());
    assert_eq!(routes(&import("general_settings: {}").0), []);
}

/// Numbers without chance: the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const HARD: [&str; 28] = [
    "gpt-4o",
    "openai/gpt-4o",
    "azure/x",
    "bedrock/converse/a.b",
    "vertex_ai/claude-1",
    "ollama/*",
    "*",
    "a\"b",
    "a\\b",
    "a\nb",
    "]",
    "x # y",
    "é😀",
    "\u{0}",
    "\u{85}",
    "",
    " ",
    "0",
    "~",
    "os.environ/NAME",
    "os.environ/",
    "{model}",
    "https://{x}.example/v1",
    "https://x.example/v1",
    "http://[::1]:80",
    "https://x.example/a?b",
    "a/../b",
    "loss",
];

fn value(numbers: &mut Numbers, depth: usize) -> Value {
    match numbers.below(if depth == 0 { 4 } else { 7 }) {
        0 => Value::Null,
        1 => Value::from(numbers.below(9)),
        2 => Value::from(numbers.below(2) == 0),
        3 | 4 => Value::from(numbers.pick(&HARD)),
        5 => (0..numbers.below(3)).map(|_| value(numbers, depth - 1)).collect::<Vec<_>>().into(),
        _ => mapping(numbers, depth),
    }
}

fn mapping(numbers: &mut Numbers, depth: usize) -> Value {
    let names = [
        "model_name",
        "litellm_params",
        "model",
        "api_base",
        "api_key",
        "custom_llm_provider",
        "fallbacks",
        "drop_params",
        "default_fallbacks",
        "model_group_alias",
        "aws_region_name",
        "vertex_project",
        "gpt-4o",
        "a\"b",
        "*",
    ];
    let pair = |numbers: &mut Numbers| (Value::from(numbers.pick(&names)), value(numbers, depth - 1));
    Value::Mapping((0..numbers.below(6)).map(|_| pair(numbers)).collect())
}

/// A configuration of the right shape with wrong things anywhere in it.
fn configuration(numbers: &mut Numbers) -> Value {
    let entry = |numbers: &mut Numbers| {
        let mut params = mapping(numbers, 2).as_mapping().cloned().unwrap();
        params.insert("model".into(), numbers.pick(&HARD).into());
        let pairs = [("model_name", Value::from(numbers.pick(&HARD))), ("litellm_params", params.into())];
        Value::Mapping(pairs.into_iter().map(|(name, value)| (name.into(), value)).collect())
    };
    let list: Vec<Value> = (0..numbers.below(8)).map(|_| entry(numbers)).collect();
    let fallback = |numbers: &mut Numbers| {
        let names: Vec<Value> = (0..3).map(|_| numbers.pick(&HARD).into()).collect();
        Value::Mapping([(Value::from(numbers.pick(&HARD)), Value::from(names))].into_iter().collect())
    };
    let fallbacks: Vec<Value> = (0..4).map(|_| fallback(numbers)).collect();
    let aliases = (0..4).map(|_| (Value::from(numbers.pick(&HARD)), Value::from(numbers.pick(&HARD)))).collect();
    let router = [("fallbacks", fallbacks.into()), ("model_group_alias", Value::Mapping(aliases))];
    let router = router.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let sections = [
        ("model_list", list.into()),
        ("router_settings", Value::Mapping(router)),
        ("litellm_settings", mapping(numbers, 3)),
        (numbers.pick(&HARD), value(numbers, 2)),
    ];
    Value::Mapping(sections.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

#[test]
fn whatever_stands_in_a_configuration_the_settings_read_or_the_error_says_why() {
    let mut numbers = Numbers(0x5eed);
    let (mut good, mut carried) = (0, 0);
    for _ in 0..150 {
        let yaml = serde_yaml_ng::to_string(&configuration(&mut numbers)).unwrap();
        // A mistake of the import itself would say so.
        match litellm(&yaml) {
            Ok(imported) => {
                good += 1;
                carried += usize::from(imported.toml.contains("[[route]]"));
            }
            Err(why) => assert!(!why.is_empty() && !why.contains("fault"), "{why}\n{yaml}"),
        }
    }
    assert!(good > 100 && carried > 50, "{good} {carried}");
    // Text that was damaged anywhere.
    for _ in 0..150 {
        let mut text: Vec<char> = TEAM.chars().collect();
        for _ in 0..=numbers.below(6) {
            let at = numbers.below(text.len());
            match numbers.below(3) {
                0 => {
                    text[at] =
                        numbers.pick(&["\"", ":", "{", "\n", " ", "-", "*", "&", "\u{1}"]).chars().next().unwrap()
                }
                1 => drop(text.remove(at)),
                _ => text.truncate(at.max(1)),
            }
        }
        if let Err(why) = litellm(&text.iter().collect::<String>()) {
            assert!(!why.is_empty() && !why.contains("fault"), "{why}");
        }
    }
}
