//! The filters' module: where Envoy finds it, and how it notices that there is another one.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CONTROL_PLANE, any};
use crate::store::hex;

/// All filters run in the VM of this name.
const VM: &str = "dragoman";

/// A module as Envoy will load it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its path as Envoy sees it.
    pub path: PathBuf,
    /// SHA-256 in hexadecimal digits.
    pub digest: String,
}

impl Module {
    /// The module at `path`, used where it is: Envoy must see it under the same path.
    pub fn at(path: &Path) -> anyhow::Result<Module> {
        let bytes = read(path)?;
        Ok(Module { path: std::path::absolute(path)?, digest: hex(&Sha256::digest(bytes)) })
    }

    /// A copy of the module at `path`, named by its content: Envoy never reads half a file, and a worker that loads it later
    /// loads what the others have.
    pub fn copied(path: &Path, directory: &Path) -> anyhow::Result<Module> {
        let bytes = read(path)?;
        let digest = hex(&Sha256::digest(&bytes));
        let copy =
            std::path::absolute(directory)?.join(format!("filters-{}.wasm", digest.get(..16).unwrap_or(&digest)));
        if !copy.exists() {
            let fresh = copy.with_extension(format!("{}.new", std::process::id()));
            std::fs::write(&fresh, &bytes).with_context(|| fresh.display().to_string())?;
            std::fs::rename(&fresh, &copy).with_context(|| copy.display().to_string())?;
        }
        Ok(Module { path: copy, digest })
    }

    /// The configuration of one of its filters, `router`, `translator` or `hop`. All name the same VM, word for word, so that they
    /// share it on every worker.
    pub(super) fn plugin(&self, name: &str) -> Value {
        let text = |value: &str| any("google.protobuf.StringValue", json!({ "value": value }));
        let config = json!({
            "name": name,
            "root_id": name,
            "configuration": text(name),
            // A reloaded VM serves the next request; the streams of the trapped one are lost, never passed unseen.
            "failure_policy": "FAIL_RELOAD",
            // Without it a pause on the headers stops the body's callbacks as well, and the request hangs.
            "allow_on_headers_stop_iteration": true,
            "vm_config": {
                "vm_id": VM,
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": self.path.to_string_lossy() } },
                "configuration": text(CONTROL_PLANE),
                "allow_precompiled": false,
                // Another module under the same path is another configuration: Envoy loads it anew.
                "environment_variables": { "key_values": { "DRAGOMAN_FILTERS_SHA256": self.digest } },
            },
        });
        any("envoy.extensions.filters.http.wasm.v3.Wasm", json!({ "config": config }))
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(path).with_context(|| {
        format!(
            "the filters' module {} can't be read; build it with `cargo xtask wasm`, or name it with --wasm",
            path.display()
        )
    })?;
    anyhow::ensure!(bytes.starts_with(b"\0asm"), "{} is no WebAssembly module", path.display());
    Ok(bytes)
}
