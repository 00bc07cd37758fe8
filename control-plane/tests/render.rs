//! What `dragoman render` and `--help` print, word for word: a change of Envoy's configuration or of the command line is seen in
//! review.
//!
//! `UPDATE_GOLDEN=1 cargo test -p dragoman --test render` writes the files anew.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use dragoman::catalog::{Catalog, known};
use dragoman::run::Options;
use dragoman::settings::File;
use dragoman::xds::{Module, bootstrap};
use serde_json::Value;

const SETTINGS: &str = r#"
catalog = false
[listen]
data = "127.0.0.1:10000"
[[provider]]
id = "plain"
base_url = "http://127.0.0.1:8080/v1"
[[provider]]
id = "safe"
base_url = "https://api.example.com"
services = [{ dialect = "messages", prefix = "/v1" }]
[[provider]]
id = "signed"
base_url = "https://api.{region}.example.com"
services = [{ dialect = "converse", prefix = "" }]
variables = { region = "eu-central-1" }
signing = { aws = { service = "bedrock", region = "{region}" } }
"#;

/// Callers without a key.
const IDENTITIES: &str = r#"
catalog = false
[listen]
data = "0.0.0.0:443"
tls = { cert = "/tls/cert.pem", key = "/tls/key.pem", client_ca = "/tls/ca.pem" }
[[identity]]
name = "corp"
jwt = { issuer = "https://login.corp.example", audiences = ["llm"], jwks_url = "https://login.corp.example/keys?of=llm" }
account = "acme.{claim:team}.{claim:sub}"
[[identity]]
name = "ci"
jwt = { issuer = "https://ci.example", audiences = ["llm"], jwks = '{"keys":[{"kty":"EC","crv":"P-256"}]}' }
account = "acme.ci"
[[identity]]
name = "mesh"
mesh = { trust_domain = "cluster.local" }
account = "acme.{path:2}.{path:4}"
"#;

fn check(name: &str, rendered: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let rendered = format!("{}\n", rendered.trim_end());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &rendered).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(rendered == golden, "{name} is another; look at it with UPDATE_GOLDEN=1 and git diff");
}

fn rendered(module: Module, settings: &str) -> (Value, Value) {
    let file = File::read("f", settings, &known().unwrap()).unwrap();
    let (options, start) = (Options::default(), Options::default().start(&file));
    let providers = Catalog::join(&file, &|_| None).unwrap().providers;
    let edge = options.edge(&file, module, providers);
    (bootstrap::whole(&start, &edge).unwrap(), bootstrap::by_ads(&start, &file.limits).unwrap())
}

#[test]
fn envoys_configuration_is_the_golden_one() {
    let module = Module { path: PathBuf::from("/usr/share/dragoman/filters.wasm"), digest: "00".repeat(32) };
    let (whole, by_ads) = rendered(module, SETTINGS);
    check("envoy.json", &format!("{whole:#}"));
    check("bootstrap.json", &format!("{by_ads:#}"));
}

#[test]
fn the_configuration_for_callers_without_a_key_is_the_golden_one() {
    let module = Module { path: PathBuf::from("/usr/share/dragoman/filters.wasm"), digest: "00".repeat(32) };
    let whole = rendered(module, IDENTITIES).0;
    let fetched = whole["static_resources"]["clusters"].as_array().unwrap().last().unwrap();
    let chain = &whole["static_resources"]["listeners"][0]["filter_chains"][0];
    let filters = &chain["filters"][0]["typed_config"]["http_filters"];
    let shown = serde_json::json!({
        "cluster": fetched, "transport_socket": chain["transport_socket"], "http_filter": filters[0],
        "then": filters.as_array().unwrap().iter().skip(1).map(|one| one["name"].clone()).collect::<Vec<_>>(),
    });
    check("identities.json", &format!("{shown:#}"));
}

/// The reference prints this file.
#[test]
fn the_command_line_is_the_golden_one() {
    check("commands.txt", &dragoman::cli::help());
}

/// Needs DRAGOMAN_ENVOY and DRAGOMAN_WASM; without them there is nothing to ask.
#[test]
fn envoy_itself_finds_nothing_wrong_with_it() {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let (Some(envoy), Some(wasm)) = (variable("DRAGOMAN_ENVOY"), variable("DRAGOMAN_WASM")) else {
        eprintln!("skipped: DRAGOMAN_ENVOY and DRAGOMAN_WASM name no Envoy and no module to try it with");
        return;
    };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("validate.json");
    std::fs::write(&file, rendered(Module::at(&wasm).unwrap(), SETTINGS).0.to_string()).unwrap();
    let said = Command::new(envoy).args(["--mode", "validate", "--config-path"]).arg(&file).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}
