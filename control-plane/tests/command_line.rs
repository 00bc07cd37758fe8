//! The commands that work on a running control plane, as a person runs them, word for word.
//!
//! `UPDATE_GOLDEN=1 cargo test -p dragoman --test command_line` writes the file anew. Moments, ids and digests are zeros there.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use dragoman::accounts::{AccountId, AccountKind, Terms};
use dragoman::store::Store;
use dragoman::store::records::Settling;
use dragoman::store::rows::Condition;
use dragoman_core::record::{Outcome, Record};

/// How long a start may take on a loaded machine.
const READY: Duration = Duration::from_secs(60);

/// A control plane of its own with a data directory of its own; both are gone when this is dropped.
struct Served {
    directory: PathBuf,
    process: Child,
    api: String,
    token: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Free now; whoever takes it before we do makes the start fail, and the start is tried again.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    command.current_dir(directory).args(arguments);
    for name in [
        "DRAGOMAN_CONFIG",
        "DRAGOMAN_DATA",
        "DRAGOMAN_STORE",
        "DRAGOMAN_API",
        "DRAGOMAN_ADMIN_TOKEN",
        "DRAGOMAN_VAULT_KEY",
    ] {
        command.env_remove(name);
    }
    command
}

fn output(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever does not read the input leaves before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Served {
    fn start(name: &str) -> Served {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("filters.wasm"), b"\0asm").unwrap();
        let until = Instant::now() + READY;
        loop {
            let api = free();
            let (data, control) = (free(), free());
            let all = "catalog = false\ndiscovery = false\nallow_networks = [\"127.0.0.0/8\"]\n";
            let listen =
                format!("[listen]\ndata = \"{data}\"\ncontrol = \"{control}\"\napi = \"{api}\"\nadmin = \"off\"\n");
            std::fs::write(directory.join("dragoman.toml"), format!("{all}{listen}")).unwrap();
            let log = std::fs::File::create(directory.join("log")).unwrap();
            let mut serve = command(&directory, &["serve", "--wasm", "filters.wasm"]);
            let mut process = serve.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
            while process.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(&api).is_ok() {
                    return Served { directory, process, api: format!("http://{api}"), token: String::new() };
                }
                assert!(Instant::now() < until, "{}", std::fs::read_to_string(directory.join("log")).unwrap());
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(Instant::now() < until, "{}", std::fs::read_to_string(directory.join("log")).unwrap());
        }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = command(&self.directory, arguments);
        command.env("DRAGOMAN_API", &self.api);
        if !self.token.is_empty() {
            command.env("DRAGOMAN_ADMIN_TOKEN", &self.token);
        }
        output(command, input)
    }

    /// What a person sees, the exit code where it is not 0.
    fn seen(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments, "");
        let quoted =
            |word: &&str| if word.contains(['[', '"', ' ', '*']) { format!("'{word}'") } else { word.to_string() };
        let line: Vec<String> = arguments.iter().map(quoted).collect();
        let code = ran.status.code().filter(|code| *code != 0).map(|code| format!("[exit code {code}]\n"));
        let (out, error) = (words(&ran.stdout), words(&ran.stderr));
        format!("$ dragoman {}\n{out}{error}{}\n", line.join(" "), code.unwrap_or_default())
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
    }

    fn read(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments, "");
        assert!(ran.status.success(), "{arguments:?}: {}", words(&ran.stderr));
        words(&ran.stdout)
    }
}

/// Without what is another each time, in the same width.
fn still(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < bytes.len() {
        let moment: String = bytes[at..].iter().take(16).map(|c| if c.is_ascii_digit() { '0' } else { *c }).collect();
        let digits = bytes[at..].iter().take_while(|c| c.is_ascii_hexdigit()).count();
        if moment == "0000-00-00 00:00" {
            out.push_str(&moment);
            at += 16;
        } else if digits >= 12 {
            out.push_str(&"0".repeat(digits));
            at += digits;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

const WANTED: &str = r#"
demo = false
[[provider]]
id = "corp"
base_url = "http://127.0.0.1:9/v1"
models = ["our-model"]
[[model]]
name = "our-model"
context_window = 64000
offers = ["corp/our-model"]
[aliases]
quick = "our-model"
"#;

fn check(name: &str, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let seen = still(seen);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &seen).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(seen == golden, "{name} is another; look at it with UPDATE_GOLDEN=1 and git diff:\n{seen}");
}

#[test]
fn an_operators_morning_is_the_golden_one() {
    let mut served = Served::start("morning");
    served.token = served.read(&["token", "create", "--role", "owner", "--name", "test"]).trim_end().to_string();
    assert!(served.token.starts_with("dga_") && !served.token.contains(char::is_whitespace), "the token alone");
    served.write("wanted.toml", WANTED);
    let provider = ["provider", "set", "corp", "base_url=http://127.0.0.1:9/v1", "models=[\"our-model\"]"];
    let steps: [&[&str]; 28] = [
        &provider,
        &["model", "set", "our-model", "context_window=32000", "offers=[\"corp/our-model\"]"],
        &["route", "set", "fast", "candidates=[\"our-model\"]", "--dry-run"],
        &["route", "set", "fast", "candidates=[\"our-model\"]", "--if-match", "0"],
        &["route", "set", "fast", "candidates=[\"our-model\"]", "--if-match", "0"],
        &["route", "set", "slow", "candidates=nobody", "loss=never"],
        &["provider", "list"],
        &["model", "list"],
        &["route", "list"],
        &["route", "show", "fast"],
        &["route", "show", "none"],
        &["diff", "-f", "wanted.toml", "--prune"],
        &["apply", "-f", "wanted.toml", "--dry-run"],
        &["apply", "-f", "wanted.toml", "--prune"],
        &["diff", "-f", "wanted.toml", "--prune"],
        &["diff", "-f", "nothing.toml"],
        &["export"],
        &["snapshot", "list"],
        &["snapshot", "diff", "4", "5"],
        &["snapshot", "rollback", "4"],
        &["route", "list"],
        &["alias", "delete", "quick"],
        &["suspension", "set", "corp/our-model", "until_ms=1795763580000", "reason=quota spent"],
        &["suspension", "list"],
        &["rule", "set", "calm", "request={\"cap\": {\"temperature\": 0.8}}", "routes=[\"our-model\"]"],
        &["rule", "list"],
        &["audit"],
        &["token", "list"],
    ];
    let seen: String = steps.iter().map(|arguments| served.seen(arguments)).collect();
    assert!(!seen.contains(&served.token), "a token is shown once");
    check("commands_run.txt", &seen);
}

#[test]
fn what_is_exported_is_applied_without_a_difference() {
    let mut served = Served::start("export");
    served.token = served.read(&["token", "create", "--role", "operator"]).trim_end().to_string();
    served.write("wanted.toml", WANTED);
    served.read(&["apply", "-f", "wanted.toml"]);
    let exported = served.read(&["export"]);
    assert!(exported.contains("[[provider]]\nid = \"corp\""), "{exported}");
    let again = served.run(&["diff", "-f", "-", "--prune"], &exported);
    assert_eq!((again.status.code(), words(&again.stdout)), (Some(0), String::new()), "{}", words(&again.stderr));
    let json: serde_json::Value = serde_json::from_str(&served.read(&["export", "--json"])).unwrap();
    assert_eq!(json["alias"]["quick"]["to"], "our-model");
    let refused = served.run(&["token", "create", "--role", "owner"], "");
    assert_eq!((refused.status.code(), refused.stdout.is_empty()), (Some(2), true));
    assert!(words(&refused.stderr).contains("owner; your token has operator"), "{}", words(&refused.stderr));
}

#[test]
fn keys_are_the_same_through_both_doors() {
    let mut served = Served::start("keys");
    let first = served.read(&["key", "create", "--name", "first-door", "--routes", "a,b"]);
    assert!(first.starts_with("dgm_") && first.lines().count() == 1);
    served.token = served.read(&["token", "create", "--role", "operator"]).trim_end().to_string();
    let second = served.read(&["key", "create", "--name", "second-door"]);
    assert!(second.starts_with("dgm_") && second.lines().count() == 1);
    let by_api = served.read(&["key", "list", "--json"]);
    let token = std::mem::take(&mut served.token);
    let by_store = served.read(&["key", "list", "--json"]);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!((sorted(&by_api), by_api.lines().count()), (sorted(&by_store), 3));
    let listed = served.read(&["key", "list"]);
    let line = listed.lines().find(|line| line.contains("first-door")).unwrap();
    assert!(line.starts_with("key_") && line.contains("good") && line.contains("a, b"), "{listed}");
    assert!(![&first, &second].into_iter().any(|key| listed.contains(key.trim_end())), "{listed}");
    served.token = token;
    assert_eq!(served.read(&["key", "revoke", "first-door"]), "1 revoked\n");
    let twice = served.run(&["key", "revoke", "first-door"], "");
    assert_eq!(twice.status.code(), Some(2), "{}", words(&twice.stderr));
    assert!(served.read(&["key", "show", "first-door"]).contains("revoked"));
}

#[test]
fn an_id_means_one_key_whatever_another_one_is_named() {
    let mut served = Served::start("ids");
    let token = served.read(&["token", "create", "--role", "operator"]).trim_end().to_string();
    for token in [String::new(), token] {
        served.token = token;
        let made: serde_json::Value = serde_json::from_str(&served.read(&["key", "create", "--json"])).unwrap();
        let id = made["id"].as_str().unwrap();
        served.read(&["key", "create", "--name", id]);
        let shown = served.read(&["key", "show", id]);
        assert!(shown.lines().count() == 2 && shown.contains(&format!("\n{id} ")), "{shown}");
        assert_eq!(served.read(&["key", "revoke", id]), "1 revoked\n");
        let twice = served.run(&["key", "revoke", id], "");
        assert!(twice.status.code() == Some(2) && words(&twice.stderr).contains("not revoked already"), "{twice:?}");
        let listed = served.read(&["key", "list"]);
        assert!(listed.lines().any(|line| line.ends_with(id) && line.contains("good")), "{listed}");
        let missing = served.run(&["key", "show", "key_0000000000000000"], "");
        assert!(missing.status.code() == Some(2) && !missing.stderr.is_empty(), "{missing:?}");
    }
}

/// Makes accounts in a data directory.
fn accounts(directory: &Path, wanted: &[(&str, AccountKind)]) {
    let made = async {
        let store = Store::open(directory, None).await.unwrap();
        for (id, kind) in wanted {
            let id = AccountId::read(id).unwrap();
            store.put_account("test", &id, *kind, &Terms::default(), Condition::None).await.unwrap();
        }
    };
    tokio::runtime::Runtime::new().unwrap().block_on(made);
}

#[test]
fn a_cool_down_is_listed_and_cleared() {
    let mut served = Served::start("cool-downs");
    served.token = served.read(&["token", "create", "--role", "operator"]).trim_end().to_string();
    let far = 4_102_444_800_000;
    let record = Record {
        exchange: "x".into(),
        caller: "key_1".into(),
        account: "acme.search".into(),
        bearer: "0123".into(),
        outcomes: vec![Outcome { target: "corp/m".into(), cool_until_ms: far, ..Outcome::default() }],
        ..Record::default()
    };
    let document = String::from_utf8(record.write()).unwrap();
    let made = async {
        let store = Store::open(&served.directory.join(".dragoman"), None).await.unwrap();
        let settling = Settling { record: &record, document: &document, cost: None, attempts: &[] };
        store.settle(&[settling]).await.unwrap();
    };
    tokio::runtime::Runtime::new().unwrap().block_on(made);
    let listed =
        "PROVIDER  BEARER  CALLER  ACCOUNT      UNTIL\ncorp      0123    key_1   acme.search  2100-01-01 00:00\n";
    assert_eq!(served.read(&["cool-down", "list", "--account", "acme"]), listed);
    assert_eq!(served.read(&["cool-down", "list", "--account", "other", "--json"]), "");
    assert_eq!(served.read(&["cool-down", "clear", "corp", "0123"]), "corp may be asked with it again\n");
    let again = served.run(&["cool-down", "clear", "corp", "0123"], "");
    assert!(again.status.code() == Some(2) && words(&again.stderr).contains("no cool-down `corp/0123`"), "{again:?}");
}

#[test]
fn how_providers_do_is_listed_and_forced() {
    let mut served = Served::start("health");
    served.token = served.read(&["token", "create", "--role", "operator"]).trim_end().to_string();
    served.write("wanted.toml", WANTED);
    served.read(&["apply", "-f", "wanted.toml"]);
    let row =
        |text: &str| -> Vec<String> { text.lines().nth(1).unwrap().split_whitespace().map(str::to_string).collect() };
    assert_eq!(row(&served.read(&["health", "list"]))[..3], ["corp", "healthy", "0"]);
    assert_eq!(served.read(&["health", "force-open", "corp/our-model"]), "corp/our-model is asked by nobody\n");
    let listed = served.read(&["health", "list"]);
    assert!(listed.contains("unhealthy") && listed.contains("corp/our-model forced_open"), "{listed}");
    let shown = served.read(&["health", "show", "corp"]);
    assert!(shown.lines().last().unwrap().starts_with("corp/our-model  open"), "{shown}");
    served.read(&["health", "force-close", "corp"]);
    assert!(served.read(&["health", "list", "--json"]).contains("\"forced\":\"closed\""));
    for subject in ["corp", "corp/our-model"] {
        let said = served.read(&["health", "reset", subject]);
        assert_eq!(said, format!("{subject} goes by what is measured from now on\n"));
    }
    assert_eq!(row(&served.read(&["health", "list"]))[1], "healthy");
    assert!(served.read(&["audit"]).contains("force open"));
    assert_eq!(served.read(&["health", "timeline", "corp", "--json"]), "");
    let pool = row(&served.read(&["health", "pools", "our-model", "--minutes", "60"]));
    assert_eq!(pool, ["our-model", "in_order", "corp/our-model", "1", "0", "100.0", "%", "0", "0"]);
    assert_eq!(served.read(&["health", "pools", "--json"]), "", "nothing is shared");
    for arguments in [["health", "force-open", "nobody/m"], ["health", "timeline", "nobody"]] {
        let refused = served.run(&arguments, "");
        assert_eq!(refused.status.code(), Some(2), "{}", words(&refused.stderr));
    }
    let refused = served.run(&["health", "list", "--minutes", "61"], "");
    assert_eq!(refused.status.code(), Some(2), "{}", words(&refused.stderr));
}

#[test]
fn an_accounts_own_credential_is_put_and_shown_by_its_end_only() {
    const SECRET: &str = "sk-canary-of-the-command-line-a1b2";
    let mut served = Served::start("credentials");
    served.token = served.read(&["token", "create", "--role", "operator"]).trim_end().to_string();
    served.write("wanted.toml", WANTED);
    served.read(&["apply", "-f", "wanted.toml"]);
    accounts(&served.directory.join(".dragoman"), &[("acme", AccountKind::Tenant), ("acme.search", AccountKind::Team)]);
    let put = served.run(&["credential", "set", "acme.search", "corp"], &format!("{SECRET}\n"));
    assert_eq!(words(&put.stdout), "acme.search has its own credential for corp\n", "{}", words(&put.stderr));
    let mut by_variable = command(&served.directory, &["credential", "set", "acme", "corp", "--env", "OWN", "--json"]);
    by_variable.env("DRAGOMAN_API", &served.api).env("DRAGOMAN_ADMIN_TOKEN", &served.token).env("OWN", SECRET);
    let put = words(&output(by_variable, "").stdout);
    assert!(put.contains("\"last_four\":\"a1b2\"") && put.contains("\"version\":2"), "{put}");
    let listed = served.read(&["credential", "list", "--account", "acme.search"]);
    let line = listed.lines().nth(1).unwrap_or_default();
    assert!(listed.lines().count() == 2 && line.starts_with("acme.search") && line.contains("a1b2"), "{listed}");
    for (wrong, input, why) in [
        (&["credential", "set", "acme", "corp"][..], " ", "is empty"),
        (&["credential", "set", "acme", "corp"], "two words", "printable"),
        (&["credential", "set", "Acme", "corp"], "sk-x", "no account"),
        (&["credential", "set", "acme", "nobody"], "sk-x", "own_keys"),
        (&["credential", "delete", "other", "corp"], "", "no own credential"),
    ] {
        let ran = served.run(wrong, input);
        assert!(ran.status.code() == Some(2) && words(&ran.stderr).contains(why), "{}", words(&ran.stderr));
    }
    let operator = std::mem::take(&mut served.token);
    let admin = ["token", "create", "--role", "tenant-admin", "--account", "acme.search"];
    served.token = served.read(&admin).trim_end().to_string();
    assert_eq!(served.read(&["credential", "list"]).lines().count(), 2, "of its tree");
    let others = served.run(&["credential", "list", "--account", "acme"], "");
    assert!(others.status.code() == Some(2) && words(&others.stderr).contains("no account"), "{others:?}");
    served.token = operator;
    let said =
        [served.read(&["audit", "--json"]), served.read(&["credential", "list", "--json"]), listed, put].concat();
    assert!(!said.contains("canary"), "{said}");
    assert_eq!(served.read(&["vault", "status"]), "open; credentials: 2, sessions: 0\n");
    let key = std::fs::read_to_string(served.directory.join(".dragoman/vault.key")).unwrap();
    let with = |keys: String, arguments: &[&str]| {
        let mut command = command(&served.directory, arguments);
        command.env("DRAGOMAN_VAULT_KEY", keys);
        output(command, "")
    };
    let other = format!("new:{}", "5".repeat(64));
    let sealed = with(other.clone(), &["vault", "status"]);
    assert!(sealed.status.code() == Some(2) && words(&sealed.stderr).contains("sealed"), "{}", words(&sealed.stderr));
    let rotated = with(format!("{other},{key}"), &["vault", "rotate"]);
    assert!(words(&rotated.stdout).starts_with("3 wrapped"), "{} {}", words(&rotated.stdout), words(&rotated.stderr));
    assert_eq!(words(&with(other.clone(), &["vault", "status"]).stdout), "open; credentials: 2, sessions: 0\n");
    let gone = served.run(&["credential", "delete", "acme", "corp"], "");
    assert!(words(&gone.stderr).contains("new"), "it has the old key only: {}", words(&gone.stderr));
    assert!(words(&with(other, &["vault", "reset", "--tenant", "acme"]).stdout).starts_with("2 taken away"));
    assert_eq!(served.read(&["credential", "list"]).lines().count(), 1);
}

/// Answers the device's questions of one sign-in: a code, then a token, then that it is taken back.
fn authority() -> String {
    use std::io::Read;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let at = url.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut asked) = (stream.unwrap(), String::new());
            while asked.split_once("\r\n\r\n").is_none_or(|(_, body)| body.is_empty()) {
                let mut piece = [0; 4096];
                match stream.read(&mut piece) {
                    Ok(count @ 1..) => asked.push_str(&words(&piece[..count])),
                    _ => break,
                }
            }
            let body = match asked.split(' ').nth(1).unwrap_or_default() {
                "/code" => format!(
                    "{{\"device_code\":\"canary-d\",\"user_code\":\"ABCD-EFGH\",\"verification_uri\":\"{at}/go\",\"expires_in\":60,\"interval\":1}}"
                ),
                _ => "{\"access_token\":\"canary-token-of-alice-9z8y\",\"token_type\":\"bearer\"}".to_string(),
            };
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
            let _ = stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    url
}

#[test]
fn a_person_signs_in_with_a_code_and_out_again() {
    let mut served = Served::start("login");
    served.token = served.read(&["token", "create", "--role", "operator"]).trim_end().to_string();
    accounts(&served.directory.join(".dragoman"), &[("acme", AccountKind::Tenant), ("acme.alice", AccountKind::User)]);
    let url = authority();
    let row = format!(
        "\n[[provider]]\nid = \"people\"\nbase_url = \"{url}\"\nsign_in = {{ policy = \"owner_only\", authorize_url = \"{url}/a\", \
         token_url = \"{url}/t\", device_url = \"{url}/code\", client_id = {{ env = \"PATH\" }} }}\n"
    );
    let file = served.directory.join("dragoman.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let login = ["login", "people", "--account", "acme.alice", "--device"];
    let unknown = served.run(&login, "");
    assert!(words(&unknown.stderr).contains("people"), "{}", words(&unknown.stderr));
    std::fs::write(&file, format!("{text}{row}")).unwrap();
    // The file is looked at again every second or two.
    let until = Instant::now() + READY;
    let mut said = String::new();
    while !said.contains("is signed in") && Instant::now() < until {
        said = words(&served.run(&login, "").stdout);
    }
    assert!(said.contains(&format!("Open {url}/go and type this code: ABCD-EFGH\n")), "{said}");
    assert!(said.ends_with("acme.alice is signed in with people\n"), "{said}");
    let listed = served.read(&["session", "list"]);
    let line = listed.lines().nth(1).unwrap_or_default();
    assert!(line.starts_with("acme.alice") && line.contains("active") && line.contains("9z8y"), "{listed}");
    let all = [served.read(&["session", "list", "--json"]), served.read(&["audit", "--json"]), said].concat();
    assert!(!all.contains("canary"), "{all}");
    let refreshed = served.run(&["session", "refresh", "acme.alice", "people"], "");
    assert!(words(&refreshed.stderr).contains("nothing to renew it with"), "{}", words(&refreshed.stderr));
    let out = served.read(&["session", "revoke", "acme.alice", "people"]);
    assert!(out.starts_with("acme.alice is signed out of people\n") && out.contains("`revoke_url`"), "{out}");
    assert_eq!(served.read(&["session", "list"]).lines().count(), 1);
    let browser = served.run(&["login", "people", "--account", "acme.nobody"], "");
    assert!(words(&browser.stderr).contains("no account"), "{}", words(&browser.stderr));
}

#[test]
fn a_request_is_explained_and_nothing_is_sent() {
    let mut served = Served::start("explain");
    served.token = served.read(&["token", "create", "--role", "operator"]).trim_end().to_string();
    served.write("wanted.toml", WANTED);
    served.read(&["apply", "-f", "wanted.toml"]);
    let asked = r#"{"model":"quick","messages":[{"role":"user","content":"hi"}]}"#;
    let ran = served.run(&["explain"], asked);
    let said = words(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{}", words(&ran.stderr));
    let line = said.lines().find(|line| line.starts_with("corp/our-model")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("planned") && said.contains("fate"), "{said}");
    let asked = asked.replace("quick", "nobody");
    let said = words(&served.run(&["explain", "--json", "--header", "x-a: b"], &asked).stdout);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["refusal"]["code"], "model_not_found", "{said}");
    let refused = served.run(&["explain"], "{");
    assert_eq!((refused.status.code(), refused.stdout.is_empty()), (Some(2), true));
    let gone = served.run(&["explain", "--exchange", "x"], "");
    assert!(gone.status.code() == Some(2) && words(&gone.stderr).contains("no Record `x`"), "{}", words(&gone.stderr));
    assert_eq!(served.read(&["model", "fallbacks", "our-model", "--strategy", "cost"]), "TARGET  SCORE  WHY\n");
    let discovered = served.read(&["provider", "discovered"]);
    assert!(discovered.starts_with("PROVIDER"), "{discovered}");
    let asked = served.run(&["provider", "discover", "corp"], "");
    assert_eq!((asked.status.code(), asked.stdout.is_empty()), (Some(1), true), "nobody is there");
    assert!(words(&asked.stderr).contains("corp listed nothing: it can't be reached"), "{}", words(&asked.stderr));
    assert!(served.read(&["status"]).contains("snapshot"));
}

#[test]
fn the_status_warns_of_a_settings_file_that_can_not_be_taken() {
    let mut served = Served::start("bad-file");
    served.token = served.read(&["token", "create", "--role", "viewer"]).trim_end().to_string();
    let good = std::fs::read_to_string(served.directory.join("dragoman.toml")).unwrap();
    let warned = |wanted: bool| {
        let until = Instant::now() + READY;
        while served.read(&["status"]).contains("the settings file can't be taken") != wanted {
            assert!(Instant::now() < until, "{}", served.read(&["status"]));
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    warned(false);
    served.write("dragoman.toml", &format!("colour = \"green\"\n{good}"));
    warned(true);
    assert!(served.read(&["status"]).contains("dragoman.toml:1:1"), "{}", served.read(&["status"]));
    assert_eq!(served.run(&["check"], "").status.code(), Some(2));
    assert_eq!(served.run(&["init"], "").status.code(), Some(2), "never over a file that is there");
    served.write("dragoman.toml", &good);
    warned(false);
}

#[test]
fn whoever_has_no_token_or_no_control_plane_is_told_so() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ran = output(command(directory, &["status"]), "");
    assert_eq!(ran.status.code(), Some(2));
    assert!(words(&ran.stderr).contains("DRAGOMAN_ADMIN_TOKEN"), "{}", words(&ran.stderr));
    let mut away = command(directory, &["status", "--api", &format!("http://{}", free())]);
    away.env("DRAGOMAN_ADMIN_TOKEN", "dga_secret");
    let ran = output(away, "");
    assert_eq!(ran.status.code(), Some(1));
    let said = words(&ran.stderr);
    assert!(said.contains("can't be asked") && !said.contains("dga_secret"), "{said}");
    let mut served = Served::start("no-token");
    served.token = "dga_secret".into();
    let ran = served.run(&["status"], "");
    assert_eq!(ran.status.code(), Some(2));
    assert!(words(&ran.stderr).contains("unknown or revoked"), "{}", words(&ran.stderr));
}

#[test]
fn what_is_imported_goes_to_the_output_and_what_is_not_to_the_error_output() {
    let yaml = "model_list:\n- model_name: m\n  litellm_params:\n    model: hosted_vllm/our-model\n    api_base: http://h:1/v1\n    made_up: 1\n";
    let ran = output(command(Path::new(env!("CARGO_TARGET_TMPDIR")), &["import", "litellm", "-"]), yaml);
    assert_eq!(ran.status.code(), Some(0), "{}", words(&ran.stderr));
    assert!(words(&ran.stdout).contains("[[route]]\nname = \"m\""), "{}", words(&ran.stdout));
    assert!(words(&ran.stderr).contains("made_up"), "{}", words(&ran.stderr));
    let ran = output(command(Path::new(env!("CARGO_TARGET_TMPDIR")), &["import", "litellm", "-"]), "- 1");
    assert_eq!((ran.status.code(), ran.stdout.is_empty()), (Some(2), true));
}

#[test]
fn every_shell_can_complete_our_words() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = output(command(Path::new(env!("CARGO_TARGET_TMPDIR")), &["completions", shell]), "");
        assert!(ran.status.success() && words(&ran.stdout).contains("suspension"), "{shell}");
    }
}
