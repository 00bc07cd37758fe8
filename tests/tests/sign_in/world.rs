//! A gateway, a provider of models under many names, and an authorization server for each of these names.
//!
//! Starting Envoy costs seconds, so most tests share one world. Each has a name of its own in [`NAMES`], whose server it may tell
//! to misbehave, and people of its own.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use dragoman_tests::authority::{Authority, Manners, Page, Person, Style};
use dragoman_tests::client::Answer;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::simulator::{Persona, Reply, Simulator, When};
use serde_json::{Value, json};

use super::panel::{LOOPBACK, Panel, ask_as};

/// The providers of the shared world, one for each test that tells its server something.
const NAMES: &[&str] = &[
    "browser",
    "browser-denied",
    "browser-odd",
    "calm",
    "denied",
    "device",
    "escaped",
    "exchanged",
    "flow",
    "hostile",
    "json",
    "late",
    "lax",
    "mixed-a",
    "mixed-b",
    "open",
    "pkce",
    "polled",
    "race",
    "refused",
    "rejected",
    "replayed",
    "revoked",
    "secret",
    "short",
    "slow",
    "slower",
    "state",
    "terminal",
    "tls",
    "troubled",
];

/// Where one of them says that browsers come back to: the admin API as they see it behind what speaks TLS for it.
pub const FRONT: &str = "gate.example";

/// What is asked for.
const SCOPES: &str = "models profile";

/// All of it.
pub struct World {
    pub gateway: Gateway,
    pub panel: Panel,
    pub models: Simulator,
    authorities: HashMap<&'static str, Authority>,
}

/// Whose tokens they are.
pub struct Owner {
    pub account: String,
    pub key: String,
}

/// The world of this test binary. The first caller waits for it to start.
pub fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| World::start(NAMES, |setup| setup));
    &WORLD
}

/// Servers for these names, and the set-up that knows them.
pub fn setup(names: &[&'static str], models: &Simulator) -> (Setup, HashMap<&'static str, Authority>) {
    let mut setup = Setup::new().top(LOOPBACK);
    let mut authorities = HashMap::new();
    for name in names {
        let (client, secret) = (format!("client-of-{name}"), format!("canary-client-secret-of-{name}"));
        let manners = Manners { style: style(name), ..Manners::of(&client) };
        let manners = if has_secret(name) { manners.with_secret(&secret) } else { manners };
        let authority = Authority::start(name, manners).expect("an authorization server");
        let variable = name.replace('-', "_").to_uppercase();
        if has_secret(name) {
            setup = setup.variable(&format!("SECRET_OF_{variable}"), &secret);
        }
        setup =
            setup.variable(&format!("CLIENT_OF_{variable}"), &client).more(&row(name, &variable, &authority, models));
        authorities.insert(*name, authority);
    }
    (setup, authorities)
}

fn style(name: &str) -> Style {
    if name == "json" { Style::Json } else { Style::Form }
}

fn has_secret(name: &str) -> bool {
    name.starts_with("secret") || name == "json"
}

fn row(name: &str, variable: &str, authority: &Authority, models: &Simulator) -> String {
    // What an operator says of scopes is shown to people as well.
    let odd = if name == "browser-odd" { " <img/src=x/onerror=window.taken=1>" } else { "" };
    let scopes: Vec<String> = format!("{SCOPES}{odd}").split(' ').map(|scope| format!("\"{scope}\"")).collect();
    let issuer = if name == "lax" { String::new() } else { format!("issuer = \"{}\"\n", authority.url()) };
    let redirect = match name {
        "tls" => format!("redirect_uri = \"https://{FRONT}/sign-in/callback/tls\"\n"),
        _ => String::new(),
    };
    let exchange = match name.starts_with("exchanged") || name == "secret-canary" {
        true => format!("exchange_url = \"{}\"\n", authority.exchange_url()),
        false => String::new(),
    };
    let style = if style(name) == Style::Json { "style = \"json\"\n" } else { "" };
    format!(
        "[[provider]]\nid = \"{name}\"\nbase_url = \"{models}\"\n\
         services = [{{ dialect = \"chat_completions\", prefix = \"/v1\" }}]\nmodels = [\"model-of-{name}\"]\n\
         [provider.sign_in]\npolicy = \"owner_only\"\nauthorize_url = \"{authorize}\"\ntoken_url = \"{token}\"\n\
         device_url = \"{device}\"\nrevoke_url = \"{revoke}\"\n{issuer}{exchange}{style}{redirect}client_id = {{ env = \"CLIENT_OF_{variable}\" }}\n\
         client_secret = {{ env = \"SECRET_OF_{variable}\" }}\nscopes = [{scopes}]\n",
        models = models.url(),
        // For browsers of its own: to a real one this is another site, which decides about cookies.
        authorize = match name.starts_with("browser") {
            true => authority.authorize_url().replace("127.0.0.1", "localhost"),
            false => authority.authorize_url(),
        },
        token = authority.token_url(),
        device = authority.device_url(),
        revoke = authority.revoke_url(),
        scopes = scopes.join(", "),
    )
}

/// An answer of the provider's, whatever token comes.
pub fn words() -> Value {
    json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "some-model",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
    })
}

impl World {
    /// One of its own, for tests that need more of it.
    pub fn start(names: &[&'static str], more: impl FnOnce(Setup) -> Setup) -> Self {
        let models = Simulator::start(Persona::chat("nobody-has-this")).expect("a provider");
        let (setup, authorities) = setup(names, &models);
        let gateway = Gateway::start(&more(setup)).expect("a gateway");
        Self::around(gateway, models, authorities)
    }

    /// Around a gateway that was started with a set-up of ours.
    pub fn around(gateway: Gateway, models: Simulator, authorities: HashMap<&'static str, Authority>) -> Self {
        let panel = Panel::of(&gateway);
        let (_, token) = panel.token("owner");
        let panel = panel.with(&token);
        panel.put("/accounts/acme", &json!({ "kind": "tenant" }));
        Self { gateway, panel, models, authorities }
    }

    /// The server with this name.
    pub fn authority(&self, name: &str) -> &Authority {
        self.authorities.get(name).expect("a name of the world's")
    }

    /// A person with an account and a key.
    pub fn owner(&self, name: &str) -> Owner {
        let account = format!("acme.{name}");
        self.panel.put(&format!("/accounts/{account}"), &json!({ "kind": "user" }));
        Owner { key: self.key(&account), account }
    }

    /// A key of an account.
    pub fn key(&self, account: &str) -> String {
        let made = self.panel.post("/keys", &json!({ "name": account, "account": account }));
        made["key"].as_str().expect("a key").to_owned()
    }

    /// A sign-in begins.
    pub fn begin(&self, provider: &str, account: &str, flow: &str) -> Value {
        self.panel.post("/sign-ins", &json!({ "provider": provider, "account": account, "flow": flow }))
    }

    /// How a sign-in stands: its state, and what is said of it.
    pub fn standing(&self, sign_in: &Value) -> (String, String) {
        let said = self.panel.get(&format!("/sign-ins/{}", text(sign_in, "id")));
        (text(&said, "state").to_owned(), said["said"].as_str().unwrap_or_default().to_owned())
    }

    /// Signs somebody in, page by page.
    pub fn sign_in(&self, provider: &str, account: &str) -> Page {
        let begun = self.begin(provider, account, "browser");
        let mut person = Person::default();
        let page = person.open(text(&begun, "start_url")).expect("the page that asks");
        let done = person.follow(&page.link("go").expect("a link to the provider")).expect("the page that tells");
        assert_eq!(done.status, 200, "{}: {}", done.url, done.text());
        assert_eq!(self.standing(&begun).0, "done");
        done
    }

    /// Where a browser that agrees is sent back to, before it goes there; and whose browser it is.
    pub fn sent_back(&self, begun: &Value) -> (Person, String) {
        let mut person = Person::default();
        let page = person.open(text(begun, "start_url")).expect("the page that asks");
        let go = page.link("go").expect("a link to the provider");
        let back = person.follow_up_to(&go, "/sign-in/callback/").expect("sent back");
        (person, back)
    }

    /// The session of an account at a provider.
    pub fn session(&self, provider: &str, account: &str) -> Option<Value> {
        let said = self.panel.get(&format!("/sessions?account={account}"));
        let items = said["items"].as_array().expect("a list").clone();
        items.into_iter().find(|item| item["provider"] == provider && item["account"] == account)
    }

    /// Has a session's tokens renewed.
    pub fn refresh(&self, provider: &str, account: &str) -> Answer {
        self.panel.send(&self.panel.with_body("POST", &format!("/sessions/{account}/{provider}/refresh"), &json!({})))
    }

    /// Asks a provider's model for something: the status, and the tokens that the provider was shown.
    pub fn ask(&self, provider: &str, key: &str) -> (u16, Vec<String>) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let text = format!("words-number-{}-end", COUNT.fetch_add(1, Ordering::Relaxed));
        self.models.when(When::mentions(&text), [Reply::json(200, &words())]);
        let answer = ask_as(&self.gateway, key, &format!("model-of-{provider}"), &text);
        let requests = self.models.journal().mentioning(&text);
        let shown = requests.iter().flat_map(|one| one.received.header_values("authorization"));
        let token = |value: &[u8]| String::from_utf8_lossy(value).trim_start_matches("Bearer ").to_owned();
        (answer.status, shown.map(token).collect())
    }

    /// Asks and is served with one token that its server thinks good.
    pub fn is_served(&self, provider: &str, owner: &Owner) -> String {
        let (status, shown) = self.ask(provider, &owner.key);
        let [token] = shown.as_slice() else { panic!("{}: {status}, shown {shown:?}", owner.account) };
        assert!(status == 200 && self.authority(provider).is_good(token), "{}: {status} {token}", owner.account);
        token.clone()
    }
}

/// A member that is text.
pub fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("no `{member}` in {value}"))
}
