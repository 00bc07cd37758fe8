//! A real Chromium without a window, driven as a person drives it.
//!
//! ```no_run
//! use dragoman_tests::browser::Browser;
//!
//! if let Some(mut browser) = Browser::start()? {
//!     browser.open("http://127.0.0.1:10002/sign-in/1")?;
//!     browser.click("#go")?;
//!     browser.wait_for("document.title.includes('Signed in')")?;
//! }
//! # anyhow::Ok(())
//! ```
//!
//! The program is where `DRAGOMAN_BROWSER` says (`cargo xtask test` sets it), else Debian's. It is spoken to by the DevTools
//! protocol over two pipes, so no library and no port is needed, and it ends when the test process does, however it ends.
//! It finds no other host than this one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Where Debian puts it.
const DEBIAN: &str = "/usr/bin/chromium";

/// It starts in two seconds; a loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Its pipes are the third and the fourth, which a child of ours does not have.
const SHELL: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null"#;

/// One with a profile of its own: what another was told, it does not know.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    heard: Receiver<Value>,
    session: String,
    profile: PathBuf,
    asked: u64,
}

impl Browser {
    /// Starts one; `None` when there is none on this machine.
    ///
    /// # Errors
    ///
    /// When it is there and does not start.
    pub fn start() -> anyhow::Result<Option<Self>> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let program = std::env::var_os("DRAGOMAN_BROWSER").map_or_else(|| DEBIAN.into(), PathBuf::from);
        if !program.exists() {
            return Ok(None);
        }
        let name = format!("dragoman-browser-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let profile = std::env::temp_dir().join(name);
        let mut child = Command::new("/bin/sh")
            .args(["-c", SHELL, "browser"])
            .arg(&program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--disable-background-networking", "--window-size=900,700"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let (input, output) = (child.stdin.take().context("an input")?, child.stdout.take().context("an output")?);
        let (say, heard) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let said = serde_json::from_slice(&message).unwrap_or_default();
                if say.send(said).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self { child, input, heard, session: String::new(), profile, asked: 0 };
        let target = browser.ask("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = text(&browser.ask("Target.attachToTarget", &attach)?["sessionId"])?;
        Ok(Some(browser))
    }

    /// Opens an address, as if it had been typed.
    pub fn open(&mut self, url: &str) -> anyhow::Result<()> {
        let went = self.ask("Page.navigate", &json!({ "url": url }))?;
        if let Some(error) = went["errorText"].as_str() {
            bail!("{url}: {error}");
        }
        self.wait_for("document.readyState === 'complete'")
    }

    /// Waits for an element and clicks in its middle.
    pub fn click(&mut self, selector: &str) -> anyhow::Result<()> {
        let quoted = Value::from(selector);
        self.wait_for(&format!("document.readyState === 'complete' && document.querySelector({quoted}) !== null"))?;
        let place = self.evaluate(&format!(
            "(() => {{ const r = document.querySelector({quoted}).getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2] }})()"
        ))?;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.ask("Input.dispatchMouseEvent", &event)?;
        }
        Ok(())
    }

    /// Waits until an expression is true in the page.
    pub fn wait_for(&mut self, condition: &str) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        // While one page goes and another comes there may be nobody to ask.
        while !matches!(self.evaluate(condition), Ok(Value::Bool(true))) {
            if Instant::now() > until {
                bail!("{condition}: not within {PATIENCE:?}; at {:?}: {:?}", self.url(), self.text());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What an expression is in the page.
    pub fn evaluate(&mut self, expression: &str) -> anyhow::Result<Value> {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut said = self.ask("Runtime.evaluate", &asked)?;
        if !said["exceptionDetails"].is_null() {
            bail!("{expression}: {}", said["exceptionDetails"]);
        }
        Ok(said["result"]["value"].take())
    }

    /// Where it is.
    pub fn url(&mut self) -> anyhow::Result<String> {
        text(&self.evaluate("location.href")?)
    }

    /// What a person reads there.
    pub fn text(&mut self) -> anyhow::Result<String> {
        text(&self.evaluate("document.body.innerText")?)
    }

    /// Keeps a picture of what a person sees.
    pub fn picture(&mut self, file: &Path) -> anyhow::Result<()> {
        let said = self.ask("Page.captureScreenshot", &json!({ "format": "png" }))?;
        let bytes = STANDARD.decode(text(&said["data"])?)?;
        std::fs::write(file, bytes).with_context(|| file.display().to_string())
    }

    /// Says something and waits for the answer; what it tells unasked is not listened to.
    fn ask(&mut self, method: &str, parameters: &Value) -> anyhow::Result<Value> {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = Value::from(self.session.as_str());
        }
        self.input.write_all(format!("{message}\0").as_bytes()).context("the browser has ended")?;
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut said =
                self.heard.recv_timeout(left).with_context(|| format!("{method}: the browser says nothing"))?;
            if said["id"] == self.asked {
                if !said["error"].is_null() {
                    bail!("{method}: {}", said["error"]);
                }
                return Ok(said["result"].take());
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session.clear();
        // It ends when its pipes do, too; asked, it has put everything away before.
        self.ask("Browser.close", &json!({})).ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.profile).ok();
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("{value} is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::{Authority, Decision, Manners};

    #[test]
    fn it_opens_pages_and_clicks() {
        let authority = Authority::start("a", Manners::of("client")).expect("a server");
        authority.change(|manners| manners.decision = Decision::Ask);
        let Some(mut browser) = Browser::start().expect("a browser") else {
            eprintln!("NOT TESTED: there is no Chromium here");
            return;
        };
        browser.open(&format!("{}/verify", authority.url().replace("127.0.0.1", "localhost"))).expect("a page");
        browser.click("#next").expect("a button");
        browser.wait_for("location.search.includes('user_code=')").expect("the next page");
        assert!(browser.text().expect("text").contains("Allow"));
        assert!(browser.url().expect("an address").starts_with("http://localhost:"));
    }
}
