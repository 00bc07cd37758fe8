//! What `dragoman render` prints, word for word: a change of Envoy's configuration is seen in review.
//!
//! `UPDATE_GOLDEN=1 cargo test -p dragoman --test render` writes the files anew.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::{Path, PathBuf};

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
"#;

fn check(name: &str, rendered: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let rendered = format!("{rendered:#}\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &rendered).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(rendered == golden, "{name} is another; look at it with UPDATE_GOLDEN=1 and git diff");
}

#[test]
fn envoys_configuration_is_the_golden_one() {
    let file = File::read("f", SETTINGS, &known().unwrap()).unwrap();
    let (options, start) = (Options::default(), Options::default().start(&file));
    let module = Module { path: PathBuf::from("/usr/share/dragoman/filters.wasm"), digest: "00".repeat(32) };
    let providers = Catalog::join(&file, &|_| None).unwrap().providers;
    let edge = options.edge(&file, module, providers);
    check("envoy.json", &bootstrap::whole(&start, &edge).unwrap());
    check("bootstrap.json", &bootstrap::by_ads(&start, &file.limits).unwrap());
}
