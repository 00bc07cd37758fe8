//! Providers that speak TLS: who cannot prove its name is told nothing. Those behind a proxy: the real Envoy asks it by CONNECT, and speaks
//! TLS with the provider from end to end.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::rig::fresh;
use dragoman_tests::said::read;
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{ClosedPort, Persona, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A name that nobody resolves but the proxy.
const NAME: &str = "provider.invalid";

/// A directory with an authority and its certificates, made by somebody else's tool.
struct Certificates(PathBuf);

impl Certificates {
    /// For the test of that name.
    fn make(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("dragoman-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let made = Self(directory);
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let ca = ["req", "-x509", "-subj", "/CN=authority", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem"];
        made.openssl(&[ca.as_slice(), &key].concat());
        let request = ["req", "-subj", "/CN=provider", "-keyout", "own.key", "-out", "own.csr"];
        made.openssl(&[request.as_slice(), &key].concat());
        made
    }

    /// Of that name, and good for so many days from now on.
    fn sign(&self, name: &str, days: &str) {
        std::fs::write(self.0.join("own.ext"), format!("subjectAltName = DNS:{name}\n")).expect("a file");
        let signed = ["x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        self.openssl(&[signed.as_slice(), &["-days", days, "-extfile", "own.ext", "-out", "own.pem"]].concat());
    }

    /// What trusts the authority.
    fn trusted(&self) -> String {
        format!("ca_file = \"{}\"", self.0.join("ca.pem").display())
    }

    fn openssl(&self, arguments: &[&str]) {
        let ran = Command::new("openssl").args(arguments).current_dir(&self.0).output().expect("openssl");
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    fn server(&self) -> ServerConfig {
        let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_file_iter(self.0.join("own.pem"))
            .expect("a file")
            .collect::<Result<_, _>>()
            .expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.0.join("own.key")).expect("a key");
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("a certificate with its key")
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// What serves each connection on a free port, until the test's process ends.
fn serve<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(each(stream));
            }
        });
    });
    address
}

/// Speaks TLS for a simulator, with the certificate that was signed last.
fn front(certificates: &Certificates, simulator: SocketAddr) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(certificates.server()));
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let (Ok(mut tls), Ok(mut plain)) = (acceptor.accept(stream).await, TcpStream::connect(simulator).await)
            else {
                return;
            };
            copy_bidirectional(&mut tls, &mut plain).await.ok();
        }
    })
}

/// A proxy that knows one name; what it was asked for is written down.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(leads_to: SocketAddr) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&asked);
        let address = serve(move |mut stream| {
            let list = Arc::clone(&list);
            async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
                list.lock().expect("a list").push(line.clone());
                if line != format!("CONNECT {NAME}:443 HTTP/1.1") {
                    stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.ok();
                    return;
                }
                let Ok(mut beyond) = TcpStream::connect(leads_to).await else { return };
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
                copy_bidirectional(&mut stream, &mut beyond).await.ok();
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a list").clone()
    }
}

#[test]
fn a_provider_behind_a_proxy_is_asked_through_it_by_name_and_by_tls() {
    let certificates = Certificates::make("behind");
    certificates.sign(NAME, "2");
    let start = |key| Simulator::start(Persona::chat(key)).expect("a provider");
    let (behind, beside) = (start("sk-behind"), start("sk-beside"));
    let proxy = Proxy::start(front(&certificates, behind.address()));
    let closed = ClosedPort::take().expect("a port");
    let through = |proxy: &str| format!("proxy = \"{proxy}\"");
    let address = format!("https://{NAME}");
    let setup = Setup::new()
        .envoy(&certificates.trusted())
        .provider("behind", Dialect::Chat, &address, "sk-behind")
        .with(&through(&format!("http://{}", proxy.address)))
        .provider("lost", Dialect::Chat, &address, "sk-behind")
        .with(&through(&closed.url().expect("an address")))
        .provider("refused", Dialect::Chat, "https://elsewhere.invalid", "sk-behind")
        .with(&through(&format!("http://{}", proxy.address)))
        .simulator("beside", &beside)
        .model("some-model", &["behind"])
        .model("without-proxy", &["lost", "beside"])
        .model("forbidden", &["refused", "beside"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    for stream in [false, true] {
        let text = fresh("hello");
        let answer = gateway.ask(Dialect::Chat, "some-model", &text, stream).expect("an answer");
        let said = read(Dialect::Chat, &answer);
        assert!(answer.status == 200 && said.complete, "{}\n{}", answer.text(), gateway.log());
        assert_eq!(behind.journal().mentioning(&text).len(), 1);
        assert_eq!(behind.journal().mentioning(&text)[0].received.header("host"), Some(NAME));
    }
    assert!(!proxy.asked().is_empty());
    for line in proxy.asked() {
        assert_eq!(line, format!("CONNECT {NAME}:443 HTTP/1.1"), "the name goes to the proxy");
    }
    for model in ["without-proxy", "forbidden"] {
        let text = fresh("hello");
        let answer = gateway.ask(Dialect::Chat, model, &text, false).expect("an answer");
        assert_eq!(answer.status, 200, "{model}: {}", answer.text());
        assert_eq!(beside.journal().mentioning(&text).len(), 1, "{model}: the next is asked, by no proxy");
    }
}

#[test]
fn a_provider_whose_certificate_has_expired_or_is_anothers_is_told_nothing() {
    let certificates = Certificates::make("names");
    let start = |key| Simulator::start(Persona::chat(key)).expect("a provider");
    let (good, expired, anothers, well) = (start("sk-own"), start("sk-own"), start("sk-own"), start("sk-well"));
    let setup = [
        ("good", &good, "localhost", "2"),
        ("expired", &expired, "localhost", "-1"),
        ("anothers", &anothers, NAME, "2"),
    ]
    .into_iter()
    .fold(Setup::new().envoy(&certificates.trusted()), |setup, (id, simulator, name, days)| {
        certificates.sign(name, days);
        let url = format!("https://localhost:{}", front(&certificates, simulator.address()).port());
        let setup = setup.provider(id, Dialect::Chat, &url, "sk-own");
        setup.model(&format!("only-{id}"), &[id]).model(&format!("{id}-then-well"), &[id, "well"])
    });
    let gateway = Gateway::start(&setup.simulator("well", &well)).expect("a gateway");
    let ask = |model: &str, stream| {
        let answer = gateway.ask(Dialect::Chat, model, "hello", stream).expect("an answer");
        let said = read(Dialect::Chat, &answer);
        (answer, said)
    };
    for stream in [false, true] {
        let (answer, said) = ask("only-good", stream);
        assert!(said.complete, "{} {}", answer.status, answer.text());
        for id in ["expired", "anothers"] {
            let (answer, said) = ask(&format!("only-{id}"), stream);
            assert_eq!(answer.status, 503, "{id}: {}", answer.text());
            assert!(said.error.is_some(), "{id}: {}", answer.text());
            let (answer, said) = ask(&format!("{id}-then-well"), stream);
            assert!(said.complete, "{id}: {} {}", answer.status, answer.text());
        }
    }
    assert_eq!((good.journal().total(), well.journal().total()), (2, 4));
    assert_eq!((expired.journal().total(), anothers.journal().total()), (0, 0), "not a byte");
}

#[test]
fn a_proxy_comes_and_goes_while_the_gateway_runs() {
    let certificates = Certificates::make("comes");
    certificates.sign(NAME, "2");
    let start = |key| Simulator::start(Persona::chat(key)).expect("a provider");
    let (behind, beside) = (start("sk-behind"), start("sk-beside"));
    let proxies = [(); 2].map(|()| Proxy::start(front(&certificates, behind.address())));
    let setup =
        || Setup::new().envoy(&certificates.trusted()).simulator("beside", &beside).model("some-model", &["beside"]);
    let through = |proxy: &Proxy| {
        let address = format!("https://{NAME}");
        let setup = setup().provider("behind", Dialect::Chat, &address, "sk-behind");
        setup.with(&format!("proxy = \"http://{}\"", proxy.address)).model("distant", &["behind"])
    };
    // The key of a provider stands in the environment that the gateway was started with.
    let gateway = Gateway::start(&setup().variable("TEST_KEY_BEHIND", "sk-behind")).expect("a gateway");
    let ask = |model: &str| gateway.ask(Dialect::Chat, model, "hello", false).expect("an answer").status;
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let until = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < until, "{what}\n{}", gateway.log());
            assert_eq!(ask("some-model"), 200, "nobody else notices");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    assert_eq!(ask("distant"), 404);
    let [first, second] = &proxies;
    gateway.configure(&through(first)).expect("a file");
    wait("it is asked through the first", &|| ask("distant") == 200 && !first.asked().is_empty());
    gateway.configure(&through(second)).expect("a file");
    wait("it is asked through the second", &|| ask("distant") == 200 && !second.asked().is_empty());
    gateway.configure(&setup()).expect("a file");
    wait("it is gone", &|| ask("distant") == 404);
}
