use std::time::Duration;

use dragoman_core::catalog::{DialectId, Origin, Service as Spoken};

use super::resources::KINDS;
use dragoman_core::catalog::slot;
use dragoman_core::exchange::{HOP, MAX_WALK};

use crate::settings::Signing;

use super::*;

fn provider(id: &str, tls: bool, host: &str) -> Registered {
    Registered {
        origin: Origin { tls, host: host.into(), port: if tls { 443 } else { 8080 }, base: String::new() },
        services: vec![Spoken {
            dialect: DialectId::ChatCompletions,
            prefix: "/v1".into(),
            operations: Vec::new(),
            paths: None,
        }],
        ..Registered {
            id: id.into(),
            families: Vec::new(),
            ..Registered::demo(Origin { tls, host: host.into(), port: 1, base: String::new() })
        }
    }
}

fn edge(providers: Vec<Registered>) -> Edge {
    Edge {
        data: SocketAddr::from(([127, 0, 0, 1], 10_000)),
        tls: None,
        limits: Limits { first_event_timeout: Duration::from_millis(1_500), ..Limits::default() },
        module: Module { path: "/m.wasm".into(), digest: "d".into() },
        ca_file: "/ca.crt".into(),
        providers,
        identities: Vec::new(),
        hedges: false,
    }
}

fn text(edge: &Edge) -> (String, String, String) {
    let cluster = edge.providers.first().map(|row| cluster::provider(edge, row).to_string()).unwrap_or_default();
    (cluster, listener::listener(edge, listener::by_ads(EDGE)).to_string(), route::routes(edge).to_string())
}

#[test]
fn everything_is_well_written_protobuf() {
    let edge = edge(vec![
        provider("a", true, "api.example.com"),
        provider("b", false, "127.0.0.1"),
        provider("c", true, "[::1]"),
    ]);
    Resources::make(&edge).unwrap();
}

#[test]
fn a_provider_behind_a_proxy_is_reached_through_a_listener_of_its_own() {
    let proxy = Origin { tls: false, host: "proxy.corp".into(), port: 3128, base: String::new() };
    let own = Registered { proxy: Some(proxy), ..provider("a", true, "api.example.com") };
    let edge = edge(vec![own.clone(), provider("b", true, "b.example.com")]);
    Resources::make(&edge).unwrap();
    let (cluster, ..) = text(&edge);
    assert!(cluster.contains(r#""server_listener_name":"proxy_a_"#) && cluster.contains("STATIC"), "{cluster}");
    assert!(!cluster.contains(r#""address":"api.example.com""#), "nobody here resolves it: {cluster}");
    let listeners = json!(proxy::listeners(&edge)).to_string();
    assert!(
        listeners.contains(r#""hostname":"api.example.com:443""#) && !listeners.contains("b.example"),
        "{listeners}"
    );
    let proxies = json!(proxy::clusters(&edge)).to_string();
    assert!(proxies.contains(r#""address":"proxy.corp","port_value":3128"#), "{proxies}");
    let pinned = Registered { pinned: vec!["2001:db8::1".parse().unwrap()], ..own };
    let listeners = json!(proxy::listeners(&self::edge(vec![pinned]))).to_string();
    assert!(listeners.contains(r#""hostname":"[2001:db8::1]:443""#), "what was screened: {listeners}");
}

#[test]
fn only_where_a_route_hedges_there_is_a_hop() {
    let without = edge(vec![provider("a", false, "h")]);
    let with = Edge { hedges: true, ..without.clone() };
    Resources::make(&with).unwrap();
    let all = |edge: &Edge| {
        let (cluster, listener, routes) = text(edge);
        let by_ads = listener::by_ads(HOP);
        let hop = json!([hop::cluster(edge), hop::listener(edge, by_ads), hop::routes(edge)]).to_string();
        (format!("{cluster}{listener}{routes}"), hop)
    };
    let (edge, hop) = all(&without);
    assert!(!edge.contains("dragoman_hop") && hop == "[null,null,null]", "{hop}");
    let (edge, hop) = all(&with);
    assert!(edge.contains(&slot(HOP)) && edge.contains(r#""cluster":"dragoman_hop""#), "its slot leads there");
    assert!(hop.contains(r#""root_id":"hop""#) && hop.contains(r#""cluster":"provider_a""#), "{hop}");
    assert!(!hop.contains("retry_policy"), "the edge asks the next one: {hop}");
}

#[test]
fn a_misspelt_member_is_an_error() {
    let error = proto::pack(cluster::KIND, &json!({ "name": "a", "conect_timeout": "1s" })).unwrap_err();
    assert!(format!("{error:#}").contains("conect_timeout"), "{error:#}");
}

#[test]
fn all_filters_share_one_vm() {
    let edge = Edge { hedges: true, ..edge(vec![provider("a", false, "h")]) };
    let (cluster, listener, _) = text(&edge);
    let hop = json!(hop::listener(&edge, listener::by_ads(HOP))).to_string();
    let vm = |text: &str| {
        let from = text.find("\"vm_config\":").unwrap();
        text[from..].split("}}}").next().unwrap().to_string()
    };
    assert_eq!((vm(&cluster), vm(&hop)), (vm(&listener), vm(&listener)));
    assert!(cluster.contains(r#""root_id":"translator""#) && listener.contains(r#""root_id":"router""#));
}

#[test]
fn the_slots_are_walked_in_order() {
    let routes = route::routes(&edge(vec![provider("a", false, "h")]));
    let matcher = &routes["cluster_specifier_plugins"][0]["extension"]["typed_config"]["cluster_matcher"];
    let slot = |matcher: &Value| matcher["matcher"]["matcher_tree"]["input"]["typed_config"]["header_name"].clone();
    assert_eq!(slot(&matcher["on_no_match"]), "x-dragoman-try-1");
    for count in 1..MAX_WALK {
        let later = &matcher["matcher_tree"]["exact_match_map"]["map"][count.to_string()];
        assert_eq!(slot(later), format!("x-dragoman-try-{}", count + 1));
        assert!(
            later["matcher"]["matcher_tree"]["exact_match_map"]["map"][dragoman_core::catalog::slot("provider_a")]
                .is_object()
        );
    }
}

#[test]
fn a_provider_with_tls_is_checked_by_name_and_one_by_address_by_address() {
    let cluster = |host| text(&edge(vec![provider("a", true, host)])).0;
    let named = cluster("api.example.com");
    assert!(named.contains(r#""sni":"api.example.com""#) && named.contains(r#""san_type":"DNS""#));
    let literal = cluster("[::1]");
    assert!(!literal.contains(r#""sni""#) && literal.contains(r#""exact":"::1""#) && literal.contains("IP_ADDRESS"));
    assert!(!text(&edge(vec![provider("a", false, "h")])).0.contains("transport_socket"));
}

#[test]
fn requests_are_signed_after_the_translator_and_before_the_wire() {
    let signed = Registered {
        signing: Some(Signing { service: "bedrock".into(), region: "eu-central-1".into() }),
        ..provider("a", true, "h.example")
    };
    let edge = edge(vec![signed]);
    Resources::make(&edge).unwrap();
    let cluster = text(&edge).0;
    let place = |name: &str| cluster.find(name).unwrap_or_else(|| panic!("{name} is not there"));
    assert!(place(r#""root_id":"translator""#) < place("envoy.filters.http.aws_request_signing"));
    assert!(place("envoy.filters.http.aws_request_signing") < place("envoy.filters.http.upstream_codec"));
    assert!(cluster.contains(r#""region":"eu-central-1""#) && cluster.contains(r#""service_name":"bedrock""#));
}

#[test]
fn a_change_changes_the_version_of_what_it_touches_only() {
    let before = Resources::make(&edge(vec![provider("a", false, "h")])).unwrap();
    let same = Resources::make(&edge(vec![provider("a", false, "h")])).unwrap();
    let mut other = edge(vec![provider("a", false, "h")]);
    other.limits.connect_timeout = Duration::from_secs(9);
    let other = Resources::make(&other).unwrap();
    let versions = |resources: &Resources| -> Vec<String> {
        KINDS.iter().map(|kind| resources.of(&format!("type.googleapis.com/{kind}")).unwrap().version.clone()).collect()
    };
    assert_eq!(versions(&before), versions(&same));
    let changed: Vec<bool> = versions(&before).iter().zip(versions(&other)).map(|(a, b)| *a != b).collect();
    assert_eq!(changed, [true, false, false], "only the clusters have a connect timeout");
}

mod conversation {
    use std::sync::Arc;

    use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
    use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
    use envoy_types::pb::google::rpc::Status;
    use tokio::sync::{mpsc, watch};
    use tokio::time::timeout;
    use tokio_stream::wrappers::ReceiverStream;
    use tonic::Streaming;

    use super::*;

    struct Envoy {
        requests: mpsc::Sender<DiscoveryRequest>,
        responses: Streaming<DiscoveryResponse>,
    }

    impl Envoy {
        async fn connect(resources: watch::Receiver<Arc<Resources>>) -> Envoy {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let incoming = tonic::transport::server::TcpIncoming::from(listener);
            let service = Service::new(resources, Arc::new(Envoys::new(mpsc::unbounded_channel().0))).into_server();
            tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
            let mut client = AggregatedDiscoveryServiceClient::connect(format!("http://{address}")).await.unwrap();
            let (requests, receiver) = mpsc::channel(8);
            let responses =
                client.stream_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap().into_inner();
            Envoy { requests, responses }
        }

        async fn say(&self, kind: &str, answered: Option<&DiscoveryResponse>, error: Option<&str>) {
            let request = DiscoveryRequest {
                type_url: format!("type.googleapis.com/{kind}"),
                response_nonce: answered.map(|response| response.nonce.clone()).unwrap_or_default(),
                version_info: answered.map(|response| response.version_info.clone()).unwrap_or_default(),
                error_detail: error.map(|message| Status { message: message.into(), ..Status::default() }),
                ..DiscoveryRequest::default()
            };
            self.requests.send(request).await.unwrap();
        }

        async fn hear(&mut self) -> Option<DiscoveryResponse> {
            timeout(Duration::from_millis(300), self.responses.message())
                .await
                .ok()
                .and_then(|message| message.unwrap())
        }
    }

    fn made(providers: Vec<Registered>) -> Arc<Resources> {
        Arc::new(Resources::make(&edge(providers)).unwrap())
    }

    #[tokio::test]
    async fn a_type_is_sent_when_asked_for_and_again_only_when_it_changed() {
        let sender = watch::Sender::new(made(vec![provider("a", false, "h")]));
        let mut envoy = Envoy::connect(sender.subscribe()).await;
        envoy.say(cluster::KIND, None, None).await;
        let clusters = envoy.hear().await.unwrap();
        assert_eq!(clusters.resources.len(), 1);
        envoy.say(cluster::KIND, Some(&clusters), None).await;
        assert!(envoy.hear().await.is_none(), "an ACK is not answered");
        envoy.say(listener::KIND, None, None).await;
        let listeners = envoy.hear().await.unwrap();
        envoy.say(listener::KIND, Some(&listeners), None).await;

        sender.send_replace(made(vec![provider("a", false, "h"), provider("b", false, "h")]));
        let again = envoy.hear().await.unwrap();
        assert_eq!(
            (again.type_url.as_str(), again.resources.len()),
            ("type.googleapis.com/envoy.config.cluster.v3.Cluster", 2)
        );
        assert!(envoy.hear().await.is_none(), "the listener is the same, the routes were not asked for");
    }

    #[tokio::test]
    async fn a_refused_version_is_not_sent_again_but_the_next_one_is() {
        let sender = watch::Sender::new(made(vec![]));
        let mut envoy = Envoy::connect(sender.subscribe()).await;
        envoy.say(route::KIND, None, None).await;
        let routes = envoy.hear().await.unwrap();
        envoy.say(route::KIND, Some(&routes), Some("no such thing")).await;
        assert!(envoy.hear().await.is_none());
        sender.send_replace(made(vec![provider("a", false, "h")]));
        assert_ne!(envoy.hear().await.unwrap().version_info, routes.version_info);
    }
}
