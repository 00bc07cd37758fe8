//! The one listener: native limits first, then the filter.

use std::path::Path;

use dragoman_core::exchange::{EXCHANGE, RETRY, SHADOW};
use serde_json::{Value, json};

use super::{EDGE, Edge, any, seconds, socket, tokens};
use crate::settings::{ClientCertificates, ListenTls};

pub(super) const KIND: &str = "envoy.config.listener.v3.Listener";
pub(super) const CONNECTION_MANAGER: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Largest request head, in KiB: no API's headers come near, and keys are short.
const MAX_HEAD_KIB: u32 = 32;
/// Most request headers.
const MAX_HEADERS: u32 = 100;
/// Streams of one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
/// HTTP/2 windows, in bytes: what one stream, and what one connection may send before we took it.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// The listener; its routes come from `routes`, a member of the connection manager (`rds` or `route_config`).
pub(super) fn listener(edge: &Edge, routes: (&str, Value)) -> Value {
    let mut manager = connection_manager(edge);
    if let Some(members) = manager.as_object_mut() {
        members.insert(routes.0.to_string(), routes.1);
    }
    let mut chain = json!({
        "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": any(CONNECTION_MANAGER, manager),
        }],
    });
    if let (Some(members), Some(settings)) = (chain.as_object_mut(), &edge.tls) {
        members.insert("transport_socket".to_string(), tls(settings));
    }
    json!({
        "name": EDGE,
        "address": socket(&edge.data.ip().to_string(), edge.data.port()),
        // A request is held until its body is whole; smaller buffers would answer 413 too early.
        "per_connection_buffer_limit_bytes": edge.limits.max_body_bytes,
        "filter_chains": [chain],
    })
}

/// TLS towards callers. A certificate that a caller shows is checked, or the connection ends; the filters read whose it is.
fn tls(settings: &ListenTls) -> Value {
    let file = |path: &Path| json!({ "filename": path.to_string_lossy() });
    let mut common = json!({
        "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
        "tls_certificates": [{ "certificate_chain": file(&settings.cert), "private_key": file(&settings.key) }],
        "alpn_protocols": ["h2", "http/1.1"],
    });
    if let (Some(members), Some(authorities)) = (common.as_object_mut(), &settings.client_ca) {
        members.insert("validation_context".to_string(), json!({ "trusted_ca": file(authorities) }));
    }
    let context = json!({
        "common_tls_context": common,
        "require_client_certificate": settings.clients == ClientCertificates::Required,
    });
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": any("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", context),
    })
}

/// Where the routes come from when they come by ADS.
pub(super) fn by_ads(name: &str) -> (&'static str, Value) {
    ("rds", json!({ "route_config_name": name, "config_source": { "ads": {}, "resource_api_version": "V3" } }))
}

fn connection_manager(edge: &Edge) -> Value {
    json!({
        "stat_prefix": "edge",
        "codec_type": "AUTO",
        "server_name": "dragoman",
        // Whoever connects is a stranger: none of Envoy's own headers is believed, from no address.
        "use_remote_address": true,
        "xff_num_trusted_hops": 0,
        "skip_xff_append": true,
        // An empty list would mean the usual private networks; this one means no address at all.
        "internal_address_config": { "cidr_ranges": [{ "address_prefix": "255.255.255.255", "prefix_len": 32 }] },
        "generate_request_id": false,
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "strip_any_host_port": true,
        "max_request_headers_kb": MAX_HEAD_KIB,
        "request_headers_timeout": "10s",
        // A stream that a provider cut must be seen to be cut at once.
        "delayed_close_timeout": "0.100s",
        "stream_idle_timeout": seconds(edge.limits.stream_idle_timeout),
        "common_http_protocol_options": {
            "idle_timeout": "3600s",
            "max_headers_count": MAX_HEADERS,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http_protocol_options": { "allow_chunked_length": false, "accept_http_10": false, "enable_trailers": false },
        "http2_protocol_options": {
            "max_concurrent_streams": MAX_STREAMS,
            "initial_stream_window_size": STREAM_WINDOW,
            "initial_connection_window_size": CONNECTION_WINDOW,
            "allow_connect": false,
        },
        "early_header_mutation_extensions": [{ "name": "dragoman.clean", "typed_config": clean() }],
        "http_filters": filters(edge),
    })
}

fn filters(edge: &Edge) -> Vec<Value> {
    let ours = json!({ "name": "dragoman.router", "typed_config": edge.module.plugin("router") });
    tokens::filter(edge).into_iter().chain([ours, router()]).collect()
}

/// The last filter, Envoy's own.
pub(super) fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": any(
            "envoy.extensions.filters.http.router.v3.Router",
            json!({ "suppress_envoy_headers": true }),
        ),
    })
}

/// Headers that steer the gateway are the gateway's own; a caller's are taken away before anything looks at them. Early, for
/// the route is chosen before the first filter sees the request, and it is chosen by these headers. One of the name is the
/// caller's to say (`x-dragoman-provider`); it and what is left of the others end at the first filter.
fn clean() -> Value {
    let exact = |name: &str| json!({ "remove": name });
    let prefixed = |prefix: &str| json!({ "remove_on_match": { "key_matcher": { "prefix": prefix } } });
    let own = ["x-dragoman-try-", SHADOW].map(prefixed).into_iter().chain([EXCHANGE, RETRY].map(exact));
    let own: Vec<Value> = own.collect();
    let envoys = [prefixed("x-envoy-"), exact("x-request-id")];
    // What others would take for a word about who somebody is.
    let identities = [exact("x-forwarded-client-cert"), prefixed("x-jwt-")];
    let mutations = json!([own.as_slice(), envoys.as_slice(), identities.as_slice()].concat());
    any(
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        json!({ "mutations": mutations }),
    )
}
