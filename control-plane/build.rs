//! Compiles the contract with the filters, and the descriptors of Envoy's configuration.
//!
//! Envoy's `.proto` files are those that the crate `envoy-types` carries: where cargo put it is asked of cargo, so that the
//! descriptors and the types can never be of different versions.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;

/// What the written configuration may contain; imports are found from here, `Any`s are not and are named one by one.
const ENVOY_ROOTS: [&str; 19] = [
    "envoy/config/bootstrap/v3/bootstrap.proto",
    "envoy/config/listener/v3/listener.proto",
    "envoy/config/route/v3/route.proto",
    "envoy/config/cluster/v3/cluster.proto",
    "envoy/extensions/bootstrap/internal_listener/v3/internal_listener.proto",
    "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/filters/http/aws_request_signing/v3/aws_request_signing.proto",
    "envoy/extensions/filters/http/jwt_authn/v3/config.proto",
    "envoy/extensions/filters/http/wasm/v3/wasm.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.proto",
    "envoy/extensions/router/cluster_specifiers/matcher/v3/matcher.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
    "envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.proto",
    "envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap.proto",
    "envoy/type/matcher/v3/http_inputs.proto",
];

/// The import roots inside `envoy-types`.
const ENVOY_INCLUDES: [&str; 8] = [
    "data-plane-api",
    "xds",
    "protoc-gen-validate",
    "googleapis",
    "opentelemetry-proto",
    "client_model",
    "cel-spec",
    "ratelimit",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let contract = protox::compile(["dragoman/v1/data_plane.proto"], ["proto"])?;
    tonic_prost_build::configure().build_client(true).compile_fds(contract)?;

    let protos = envoy_types()?.join("proto");
    let includes: Vec<PathBuf> = ENVOY_INCLUDES.iter().map(|root| protos.join(root)).collect();
    let mut compiler = protox::Compiler::new(includes)?;
    compiler.include_imports(true).include_source_info(false).open_files(ENVOY_ROOTS)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("envoy.binpb");
    std::fs::write(out, compiler.file_descriptor_set().encode_to_vec())?;
    Ok(())
}

/// Where cargo unpacked the crate `envoy-types`.
fn envoy_types() -> Result<PathBuf, Box<dyn Error>> {
    let output = Command::new(std::env::var("CARGO")?)
        .args(["metadata", "--format-version=1", "--filter-platform", &std::env::var("TARGET")?])
        .current_dir(std::env::var("CARGO_MANIFEST_DIR")?)
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let manifest = metadata["packages"]
        .as_array()
        .and_then(|packages| packages.iter().find(|package| package["name"] == "envoy-types"))
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("cargo metadata does not list envoy-types")?;
    Ok(Path::new(manifest).parent().ok_or("envoy-types has no folder")?.to_path_buf())
}
