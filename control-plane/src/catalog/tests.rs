use super::*;
use crate::settings::Signing;
use crate::settings::{KnownBy, Secret};

fn join(text: &str, set: &[&str]) -> Catalog {
    let file = File::read("f", text, &known().unwrap()).unwrap();
    Catalog::join(&file, &|name| set.contains(&name).then(|| format!("value-of-{name}"))).unwrap()
}

fn ids(catalog: &Catalog) -> Vec<&str> {
    catalog.providers.iter().map(|provider| provider.id.as_str()).collect()
}

#[test]
fn without_a_key_there_is_only_the_local_server() {
    let catalog = join("", &[]);
    assert_eq!(ids(&catalog), ["local"]);
    assert!(!catalog.is_configured());
}

#[test]
fn every_shipped_provider_registers_by_its_key() {
    for (key, id) in [
        ("OPENAI_API_KEY", "openai"),
        ("ANTHROPIC_API_KEY", "anthropic"),
        ("GEMINI_API_KEY", "gemini"),
        ("GOOGLE_API_KEY", "gemini"),
        ("GROQ_API_KEY", "groq"),
        ("TOGETHER_API_KEY", "together"),
        ("MISTRAL_API_KEY", "mistral"),
        ("COHERE_API_KEY", "cohere"),
        ("OPENROUTER_API_KEY", "openrouter"),
        ("DEEPSEEK_API_KEY", "deepseek"),
        ("XAI_API_KEY", "xai"),
        ("PERPLEXITY_API_KEY", "perplexity"),
        ("CEREBRAS_API_KEY", "cerebras"),
        ("FIREWORKS_API_KEY", "fireworks"),
    ] {
        let catalog = join("", &[key]);
        assert!(ids(&catalog).contains(&id) && ids(&catalog).contains(&"local"), "{key}: {:?}", ids(&catalog));
        assert!(catalog.is_configured());
    }
}

#[test]
fn every_offer_of_the_shipped_models_names_a_shipped_provider() {
    let Shipped { providers, models, .. } = shipped().unwrap();
    assert!(models.len() > 100);
    for model in &models {
        assert!(!model.offers.is_empty(), "{}", model.name);
        for (provider, _, _) in &model.offers {
            assert!(providers.iter().any(|row| row.id == *provider), "{}: {provider}", model.name);
        }
    }
}

#[test]
fn the_credential_is_the_header_that_the_row_says() {
    let catalog = join("", &["ANTHROPIC_API_KEY", "OPENAI_API_KEY"]);
    let header = |id: &str| {
        let provider = catalog.providers.iter().find(|provider| provider.id == id).unwrap();
        provider
            .credential
            .as_ref()
            .and_then(Credential::header)
            .map(|(name, value)| format!("{name}: {}", value.expose()))
            .unwrap()
    };
    assert_eq!(header("anthropic"), "x-api-key: value-of-ANTHROPIC_API_KEY");
    assert_eq!(header("openai"), "authorization: Bearer value-of-OPENAI_API_KEY");
}

#[test]
fn a_row_of_the_same_id_changes_what_it_names_and_nothing_else() {
    let catalog = join("[[provider]]\nid = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\n", &["OPENAI_API_KEY"]);
    let openai = &catalog.providers[0];
    assert_eq!((openai.id.as_str(), openai.origin.port), ("openai", 9));
    assert_eq!(openai.services[0].prefix, "/v1");
    assert!(openai.families.contains(&"gpt-".to_string()));
}

#[test]
fn a_disabled_provider_is_gone_and_one_without_a_key_is_told_of() {
    let catalog = join(
        "[[provider]]\nid = \"local\"\nenabled = false\n[[provider]]\nid = \"c\"\nbase_url = \"http://h\"\napi_key = { env = \"C\" }\n",
        &[],
    );
    assert!(catalog.providers.is_empty());
    assert_eq!(catalog.warnings, ["provider c: unavailable, for C is not set"]);
}

#[test]
fn the_same_name_at_two_providers_is_one_model_with_two_offers_in_the_order_of_the_file() {
    let text = "catalog = false\n[[provider]]\nid = \"z\"\nbase_url = \"http://h\"\nmodels = [\"m\"]\n\
                [[provider]]\nid = \"a\"\nbase_url = \"http://h\"\nmodels = [\"m\"]\n";
    let catalog = join(text, &[]);
    let offers: Vec<&str> = catalog.models[0].offers.iter().map(|(provider, _, _)| provider.as_str()).collect();
    assert_eq!((catalog.models.len(), offers), (1, vec!["z", "a"]));
}

#[test]
fn a_variable_may_move_the_local_server() {
    let file = File::default();
    let catalog =
        Catalog::join(&file, &|name| (name == "LOCAL_BASE_URL").then(|| "http://vllm:8000/v1".into())).unwrap();
    assert_eq!(catalog.providers[0].origin.authority(), "vllm:8000");
}

/// The shipped rows with these words in the environment.
fn with(set: &[(&str, &str)]) -> Catalog {
    let environment = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
    Catalog::join(&File::default(), &environment).unwrap()
}

fn row<'c>(catalog: &'c Catalog, id: &str) -> &'c Registered {
    catalog.providers.iter().find(|provider| provider.id == id).unwrap_or_else(|| panic!("{id} is not registered"))
}

#[test]
fn a_hosted_cloud_needs_its_key_and_its_place() {
    let key = ("AZURE_OPENAI_API_KEY", "k");
    assert_eq!(ids(&with(&[key])), ["local"], "nobody knows the resource");
    let named = with(&[key, ("AZURE_RESOURCE_NAME", "corp")]);
    let azure = row(&named, "azure");
    assert_eq!(
        (azure.origin.host.as_str(), azure.services[0].prefix.as_str()),
        ("corp.openai.azure.com", "/openai/v1")
    );
    assert_eq!(azure.credential.as_ref().and_then(Credential::header).map(|(name, _)| name), Some("api-key"));
    let given = with(&[key, ("AZURE_OPENAI_ENDPOINT", "https://eu.example/"), ("OPENAI_API_VERSION", "2025-01-01")]);
    let deployments = row(&given, "azure-deployments");
    let path = deployments.services[0].paths.as_ref().map(|paths| paths.whole.as_str());
    assert_eq!(deployments.origin.host, "eu.example");
    assert_eq!(path, Some("/openai/deployments/{model}/chat/completions?api-version=2025-01-01"));
}

#[test]
fn a_cloud_that_signs_is_asked_by_key_if_there_is_one_and_signed_for_if_not() {
    let region = ("AWS_REGION", "eu-central-1");
    assert_eq!(ids(&with(&[region])), ["local"], "a region alone is no wish");
    let signed = with(&[region, ("AWS_ACCESS_KEY_ID", "a")]);
    let bedrock = row(&signed, "bedrock");
    assert_eq!(bedrock.origin.host, "bedrock-runtime.eu-central-1.amazonaws.com");
    assert_eq!(bedrock.signing, Some(Signing { service: "bedrock".into(), region: "eu-central-1".into() }));
    assert!(bedrock.credential.is_none());
    let by_key = with(&[region, ("AWS_BEARER_TOKEN_BEDROCK", "t"), ("AWS_ACCESS_KEY_ID", "a")]);
    let bedrock = row(&by_key, "bedrock");
    assert!(bedrock.signing.is_none() && bedrock.credential.is_some());
}

#[test]
fn a_named_server_of_ones_own_takes_part_by_its_variable_or_by_a_row() {
    let named = with(&[("VLLM_BASE_URL", "http://gpu:8000/v1")]);
    assert_eq!((row(&named, "vllm").origin.host.as_str(), row(&named, "vllm").origin.base.as_str()), ("gpu", "/v1"));
    let by_row = join("[[provider]]\nid = \"ollama\"\nmodels = [\"qwen3\"]\n", &[]);
    assert_eq!(row(&by_row, "ollama").origin.port, 11434);
}

#[test]
fn a_row_fills_in_one_variable_and_leaves_the_others() {
    let text = "[[provider]]\nid = \"vertex-gemini\"\nvariables = { project = \"mine\", location = \"eu\" }\n";
    let catalog = join(text, &["VERTEX_ACCESS_TOKEN"]);
    let vertex = row(&catalog, "vertex-gemini");
    assert_eq!(vertex.origin.host, "aiplatform.eu.rep.googleapis.com");
    assert_eq!(vertex.services[0].prefix, "/v1/projects/mine/locations/eu/publishers/google");
}

#[test]
fn a_row_says_where_its_models_are_listed_with_its_variables_filled_in() {
    let text = "[[provider]]\nid = \"corp\"\nbase_url = \"https://x.example\"\nmodels_path = \"/{project}/models\"\n\
                variables = { project = { env = \"PROJECT\" } }\n";
    let file = File::read("f", text, &known().unwrap()).unwrap();
    let catalog = Catalog::join(&file, &|name| (name == "PROJECT").then(|| "p1".to_string())).unwrap();
    assert_eq!(row(&catalog, "corp").models_path, Some(ModelsPath::At("/p1/models".into())));
    assert_eq!(row(&catalog, "local").models_path, None);
}

#[test]
fn every_shipped_provider_has_models_and_every_shipped_price_is_somebodys() {
    let Shipped { providers, models, prices } = shipped().unwrap();
    // Deployments are named by whoever made them, and a server of one's own serves what one gave it; the last is the second
    // door of a provider that is listed.
    let unlisted = ["azure", "azure-deployments", "ollama", "vllm", "local", "gemini-openai"];
    // What an account of a person may ask is its provider's to say.
    for provider in providers.iter().filter(|row| row.sign_in.is_none()) {
        let count = models.iter().flat_map(|row| &row.offers).filter(|(id, _, _)| *id == provider.id).count();
        assert_eq!(count == 0, unlisted.contains(&provider.id.as_str()), "{}: {count}", provider.id);
    }
    for price in &prices {
        let (provider, model) = price.target.value.split_once('/').unwrap();
        let offered = models.iter().flat_map(|row| &row.offers).any(|(id, name, _)| id == provider && name == model);
        assert!(offered || unlisted.contains(&provider) || provider == DEMO, "{}", price.target.value);
    }
}

#[test]
fn almost_everything_shipped_has_a_price_and_nothing_is_free_but_what_is_said_to_be() {
    let Shipped { models, prices, .. } = shipped().unwrap();
    let offers: Vec<String> =
        models.iter().flat_map(|row| &row.offers).map(|(id, model, _)| format!("{id}/{model}")).collect();
    let priced: std::collections::HashSet<&str> = prices.iter().map(|row| row.target.value.as_str()).collect();
    let unpriced = offers.iter().filter(|offer| !priced.contains(offer.as_str())).count();
    assert!(offers.len() > 500 && unpriced * 20 < offers.len(), "{unpriced} of {}", offers.len());
    let free = |row: &&PriceRow| {
        let rates = row.price.rates;
        (rates.input, rates.output, rates.image.unwrap_or(0), rates.request.unwrap_or(0)) == (0, 0, 0, 0)
    };
    let free: Vec<&str> = prices.iter().filter(free).map(|row| row.target.value.as_str()).collect();
    assert_eq!(free, ["demo/*", "local/*", "ollama/*", "vllm/*", "openai/omni-moderation-latest"]);
}

#[test]
fn the_shipped_models_say_what_they_are() {
    use crate::settings::{Modality, Status};
    let models = shipped().unwrap().models;
    let model = |name: &str| models.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(model("text-embedding-3-small").output(), [Modality::Embedding]);
    assert!(model("gpt-image-2").output().contains(&Modality::Image));
    assert_eq!((model("gpt-4").status(), model("gpt-4.1").status()), (Status::Deprecated, Status::Active));
    let caching = dragoman_core::catalog::Abilities::CACHING;
    assert!(model("claude-opus-5").abilities.is_some_and(|abilities| abilities.cover(caching)));
}

#[test]
fn a_provider_whose_keys_accounts_bring_takes_part_without_one() {
    let row = |members: &str| {
        let all = "base_url = \"http://h\"\nauth = \"x-api-key: {key}\"\napi_key = { env = \"A\" }\n";
        format!("[[provider]]\nid = \"corp\"\n{all}{members}\n")
    };
    let of = |members: &str, set: &[&str]| {
        let catalog = join(&row(members), set);
        let found = catalog.providers.iter().find(|row| row.id == "corp");
        found.map(|row| (row.credential.is_some(), row.own_only, row.signing.is_some()))
    };
    assert_eq!(of("", &[]), None);
    assert_eq!(of("own_keys = false", &[]), None);
    assert_eq!(of("own_keys = true", &[]), Some((false, true, false)));
    assert_eq!(of("own_keys = true", &["A"]), Some((true, false, false)));
    let signing = "signing = { aws = { service = \"s\", region = \"r\" } }";
    assert_eq!(of(signing, &[]), Some((false, false, true)));
    assert_eq!(
        of(&format!("{signing}\nown_keys = true"), &[]),
        Some((false, true, false)),
        "what is signed carries no key"
    );
    let catalog = join(&row("own_keys = true"), &[]);
    let (name, value) = catalog.providers[0].auth.header(&Secret::new("sk-own"));
    assert_eq!((name.as_str(), value.expose()), ("x-api-key", "sk-own"));
    assert_eq!(crate::discovery::endpoint(&catalog.providers[0]), None, "nobody's key is for that");
}

#[test]
fn a_provider_takes_part_for_those_who_sign_in_once_its_policy_and_its_client_allow_it() {
    let row = "[[provider]]\nid = \"claude\"\nsign_in = { policy = \"owner_only\" }\n";
    let there = |text: &str, set: &[&str]| {
        let catalog = join(text, set);
        let found = catalog.providers.iter().find(|row| row.id == "claude");
        found.map(|row| (row.own_only, row.credential.is_some()))
    };
    assert_eq!(there("", &["CLAUDE_CLIENT_ID"]), None, "its terms were not checked");
    assert_eq!(there(row, &[]), None);
    assert_eq!(there(row, &["CLAUDE_CLIENT_ID"]), Some((true, false)));
    let catalog = join(row, &[]);
    assert!(catalog.warnings.iter().any(|why| why.contains("CLAUDE_CLIENT_ID is not set")), "{:?}", catalog.warnings);
    let sign_in = &catalog.sign_ins["claude"];
    assert_eq!(sign_in.hindrance(), Some("CLAUDE_CLIENT_ID is not set".into()));
    assert!(sign_in.authorize_url.is_some(), "the row changes what it names");
}

#[test]
fn every_shipped_sign_in_can_be_used_once_its_variables_are_set() {
    let ids = ["anthropic-console", "chatgpt", "claude", "copilot", "google"];
    let rows: String = ids.iter().map(|id| format!("[[provider]]\nid = \"{id}\"\n")).collect();
    let file = File::read("f", &rows, &known().unwrap()).unwrap();
    let catalog = Catalog::join(&file, &|name| match name {
        name if name.ends_with("_REDIRECT_URI") => None,
        name => Some(format!("value-of-{name}")),
    });
    let sign_ins = catalog.unwrap().sign_ins;
    assert_eq!(sign_ins.keys().collect::<Vec<_>>(), ids);
    for sign_in in sign_ins.values() {
        assert!(sign_in.authorize_url.is_some() && sign_in.token_url.is_some() && sign_in.client_id.is_ok());
        assert!(sign_in.redirect_uri.is_ok(), "{:?}", sign_in.redirect_uri);
        let kept = sign_in.policy == crate::settings::SignInPolicy::OwnerOnly;
        assert_eq!(kept, sign_in.provider == "anthropic-console", "subscriptions of people are theirs");
    }
}

#[test]
fn tokens_pass_through_to_who_says_so_and_are_kept_or_passed_never_both() {
    let of = |id: &str, sign_in: &str, set: &[&str]| {
        let catalog = join(&format!("[[provider]]\nid = \"{id}\"\n{sign_in}\n"), set);
        let found = catalog.providers.iter().find(|row| row.id == id);
        found.map(|row| (row.own_only, row.credential.is_some(), row.passthrough.prefixes.len()))
    };
    assert_eq!(of("claude", "", &[]), Some((true, false, 1)));
    assert_eq!(of("chatgpt", "", &[]), Some((true, false, 0)), "whose they are, their issuer says");
    let kept = "sign_in = { policy = \"owner_only\" }";
    assert_eq!(of("claude", kept, &["CLAUDE_CLIENT_ID"]), Some((true, false, 0)));
    assert_eq!(of("claude", "sign_in = { policy = \"disabled\" }", &["CLAUDE_CLIENT_ID"]), None);
    let keyed = "sign_in = { token_prefixes = [\"ya29.\"] }";
    assert_eq!(of("gemini", keyed, &["GEMINI_API_KEY"]), Some((false, true, 1)), "the gateway's key serves the others");
}

#[test]
fn a_service_account_serves_where_there_is_no_key_and_comes_before_all_else() {
    let of = |more: &str, set: &[&str]| {
        let account = "service_account = { token_url = \"https://id/t\", client_id = { env = \"ID\" }, client_secret = { env = \"S\" } }";
        let row = format!("[[provider]]\nid = \"corp\"\nbase_url = \"http://h\"\n{account}\n{more}\n");
        let catalog = join(&format!("catalog = false\n{row}"), set);
        match catalog.providers.first() {
            Some(row) => Ok((row.credential.clone(), row.own_only, crate::discovery::endpoint(row))),
            None => Err(catalog.warnings),
        }
    };
    let key = "api_key = { env = \"A\" }";
    let why = "provider corp: unavailable, for A is not set; ID is not set, and so there is no service account";
    assert_eq!(of(key, &[]), Err(vec![why.to_string()]));
    let (credential, own_only, listed) = of("own_keys = true", &["ID", "S"]).unwrap();
    let Some(Credential::Minted(account)) = credential else { panic!("{credential:?}") };
    let known_by = KnownBy::Client { id: "value-of-ID".into(), secret: Secret::new("value-of-S") };
    assert_eq!((account.known_by, own_only, listed), (known_by, false, None));
    assert!(matches!(of(key, &["ID", "S", "A"]), Ok((Some(Credential::Header(..)), false, Some(_)))));
    assert_eq!(of("own_keys = true", &["ID"]), Ok((None, true, None)));
}

#[test]
fn a_cloud_without_a_key_is_asked_with_a_service_account() {
    let minted = |catalog: &Catalog, id: &str| match &row(catalog, id).credential {
        Some(Credential::Minted(account)) => account.clone(),
        other => panic!("{id}: {other:?}"),
    };
    let client = [("AZURE_TENANT_ID", "t-1"), ("AZURE_CLIENT_ID", "me"), ("AZURE_CLIENT_SECRET", "s")];
    let azure = with(&[&client[..], &[("AZURE_RESOURCE_NAME", "corp")]].concat());
    for id in ["azure", "azure-deployments"] {
        assert_eq!(minted(&azure, id).token_url, "https://login.microsoftonline.com/t-1/oauth2/v2.0/token");
    }
    let vertex = with(&[("GOOGLE_APPLICATION_CREDENTIALS", "/key.json"), ("GOOGLE_CLOUD_PROJECT", "p")]);
    for id in ["vertex-gemini", "vertex-claude"] {
        let account = minted(&vertex, id);
        assert_eq!(account.known_by, KnownBy::Key(Secret::new("/key.json")));
        assert_eq!(account.scopes, ["https://www.googleapis.com/auth/cloud-platform"]);
    }
    assert_eq!(ids(&with(&client)), ["local"], "nobody knows the resource");
}
