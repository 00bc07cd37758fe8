use super::*;

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
    ] {
        let catalog = join("", &[key]);
        assert!(ids(&catalog).contains(&id) && ids(&catalog).contains(&"local"), "{key}: {:?}", ids(&catalog));
        assert!(catalog.is_configured());
    }
}

#[test]
fn every_offer_of_the_shipped_models_names_a_shipped_provider() {
    let (providers, models) = shipped().unwrap();
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
        provider.credential.as_ref().map(|(name, value)| format!("{name}: {}", value.expose())).unwrap()
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
