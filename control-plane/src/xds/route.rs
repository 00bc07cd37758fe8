//! The one route: the attempt's number and the Plan's slot header name the cluster.
//!
//! The router filter writes `x-dragoman-try-1` … `-9`, each standing for a cluster (`dragoman_core::catalog::slot`). Envoy chooses the cluster anew for every
//! attempt, and at that moment `x-envoy-attempt-count` still says how many attempts were *before*: absent for the first.

use dragoman_core::catalog::slot;
use dragoman_core::exchange::{EXCHANGE, HOP, MAX_WALK, SHADOW, SHADOW_EXCHANGE};
use serde_json::{Map, Value, json};

use super::{EDGE, Edge, any};
use crate::catalog::Registered;

pub(super) const KIND: &str = "envoy.config.route.v3.RouteConfiguration";

/// A name that no cluster has: a request without a Plan is answered 503 by Envoy and goes nowhere.
const NOWHERE: &str = "dragoman_no_plan";

/// The name of what chooses the cluster.
const SPECIFIER: &str = "envoy.router.cluster_specifier_plugin.matcher";

/// The route configuration.
pub(super) fn routes(edge: &Edge) -> Value {
    let shadows = edge.providers.iter().map(with_shadow);
    let routes: Vec<Value> = [without_shadow()].into_iter().chain(shadows).chain([plan()]).collect();
    json!({
        "name": EDGE,
        "virtual_hosts": [{
            "name": EDGE,
            "domains": ["*"],
            "include_request_attempt_count": true,
            // Who the caller is and how it came is none of a provider's business. The slots must stay: they are read again for
            // every attempt.
            "request_headers_to_remove": [
                "x-envoy-external-address",
                "x-envoy-internal",
                "x-forwarded-for",
                "x-forwarded-proto",
            ],
            "request_body_buffer_limit": edge.limits.max_body_bytes.to_string(),
            "routes": routes,
        }],
        "cluster_specifier_plugins": [specifier(by_attempt(edge))],
    })
}

/// By the Plan.
fn plan() -> Value {
    json!({
        "name": "plan",
        "match": { "prefix": "/" },
        "route": {
            "cluster_specifier_plugin": SPECIFIER,
            // Answers may take as long as they move; silence is what is bounded. The router filter says for how long a try may
            // be silent until its answer begins, by `x-envoy-upstream-rq-per-try-timeout-ms`, and watches it afterwards.
            "timeout": "0s",
            "retry_policy": retry_policy(),
        },
    })
}

/// The same, found at once by most requests: they have no shadow.
fn without_shadow() -> Value {
    let mut route = plan();
    route["match"]["headers"] = json!([{ "name": SHADOW, "present_match": true, "invert_match": true }]);
    route
}

/// The same, mirrored to that provider as another exchange. Not by `cluster_header`: Envoy reads that header once more when the
/// first attempt has written its head, so that attempt's provider would see whose name it has.
fn with_shadow(row: &Registered) -> Value {
    let id = json!({ "key": EXCHANGE, "value": format!("%REQ({SHADOW_EXCHANGE})%") });
    let mut route = plan();
    route["match"]["headers"] = json!([{ "name": SHADOW, "string_match": { "exact": slot(&row.cluster()) } }]);
    route["route"]["request_mirror_policies"] = json!([{
        "cluster": row.cluster(),
        "disable_shadow_host_suffix_append": true,
        "request_headers_mutations": [{ "append": { "header": id, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" } }],
    }]);
    route
}

/// What chooses the cluster.
pub(super) fn specifier(matcher: Value) -> Value {
    let kind = "envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier";
    json!({ "extension": {
        "name": SPECIFIER,
        "typed_config": any(kind, json!({ "cluster_matcher": matcher })),
    } })
}

/// Which failures go on to the next target. Everything that a provider says is judged by the translator, which marks what is
/// to be tried elsewhere; the rest is what happens when a provider says nothing.
fn retry_policy() -> Value {
    json!({
        "retry_on": "connect-failure,refused-stream,reset,retriable-headers",
        "retriable_headers": [{ "name": "x-dragoman-retry", "present_match": true }],
        // The filter lowers it where nothing may be asked for twice, by `x-envoy-max-retries`.
        "num_retries": MAX_WALK - 1,
        "refresh_cluster_on_retry": true,
        // Another provider is asked, not the same one again: there is nothing to wait for.
        "retry_back_off": { "base_interval": "0.001s", "max_interval": "0.001s" },
    })
}

/// No count → slot 1, "1" → slot 2, …
fn by_attempt(edge: &Edge) -> Value {
    let later: Map<String, Value> =
        (1..MAX_WALK).map(|count| (count.to_string(), json!({ "matcher": by_slot(edge, count + 1) }))).collect();
    json!({
        "matcher_tree": { "input": header("x-envoy-attempt-count"), "exact_match_map": { "map": later } },
        "on_no_match": { "matcher": by_slot(edge, 1) },
    })
}

/// The slot's header stands for one of the clusters.
pub(super) fn by_slot(edge: &Edge, place: usize) -> Value {
    let clusters: Map<String, Value> = edge
        .providers
        .iter()
        .map(|row| (slot(&row.cluster()), go_to(&row.cluster())))
        .chain([(NOWHERE.into(), go_to(NOWHERE))])
        .chain(edge.hedges.then(|| (slot(HOP), go_to(HOP))))
        .collect();
    json!({
        "matcher_tree": {
            "input": header(&format!("x-dragoman-try-{place}")),
            "exact_match_map": { "map": clusters },
        },
        "on_no_match": go_to(NOWHERE),
    })
}

fn header(name: &str) -> Value {
    json!({
        "name": name,
        "typed_config": any("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", json!({ "header_name": name })),
    })
}

fn go_to(cluster: &str) -> Value {
    let action =
        any("envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction", json!({ "cluster": cluster }));
    json!({ "action": { "name": cluster, "typed_config": action } })
}
