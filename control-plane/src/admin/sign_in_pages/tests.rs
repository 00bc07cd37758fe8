use super::*;
use crate::oauth::tests::Gate;
use crate::store::tests::Directory;

/// The pages of a control plane, as a browser reaches them.
struct Pages {
    gate: Gate,
    url: String,
    browser: reqwest::Client,
    _directory: Directory,
}

impl Pages {
    async fn open(more: &str) -> Pages {
        let directory = Directory::new();
        let gate = Gate::open(&directory, more).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pages = router::<()>(gate.oauth.clone());
        tokio::spawn(async move { axum::serve(listener, pages).await });
        let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Pages { gate, url, browser, _directory: directory }
    }

    async fn get(&self, path: &str, cookie: &str) -> (reqwest::StatusCode, reqwest::header::HeaderMap, String) {
        let asked = self.browser.get(format!("{}{path}", self.url)).header("cookie", cookie).send().await.unwrap();
        let (status, headers) = (asked.status(), asked.headers().clone());
        (status, headers, asked.text().await.unwrap())
    }

    async fn begun(&self, by: &str) -> String {
        self.gate.oauth.begin_in_browser("corp", "acme.alice", by).await.unwrap().0.id
    }
}

/// The address behind the one link of a page.
fn link(page: &str) -> String {
    let (_, after) = page.split_once("<a id=\"go\" href=\"").unwrap();
    after.split_once('"').unwrap().0.replace("&amp;", "&")
}

#[tokio::test]
async fn a_person_is_told_who_asks_goes_to_the_provider_and_comes_back() {
    let pages = Pages::open("").await;
    let id = pages.begun("token_1 (<b>\"Ops\"</b>)").await;
    let (status, headers, page) = pages.get(&format!("/sign-in/{id}"), "").await;
    assert_eq!(status, 200);
    assert!(page.contains("token_1 (&lt;b&gt;&quot;Ops&quot;&lt;/b&gt;)") && page.contains("acme.alice"), "{page}");
    let cookie = headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("dragoman-sign-in=") && !cookie.contains("; Secure"), "{cookie}");
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    let address = link(&page);
    assert!(address.starts_with(&format!("{}/authorize?", pages.gate.authority.url)), "{address}");
    let (code, state) = pages.gate.authority.approve(&address);
    let back = format!("/sign-in/callback/corp?code={code}&state={state}&session_state=x");
    assert_eq!(pages.get(&back, "").await.0, 400);
    let (status, _, page) = pages.get(&back, cookie.split(';').next().unwrap()).await;
    assert!(status == 200 && page.contains("You are signed in"), "{page}");
    let (status, _, page) = pages.get(&back, cookie.split(';').next().unwrap()).await;
    assert!(status == 400 && page.contains("not signed in"), "{page}");
}

/// AZ-11, AZ-07: nothing leads elsewhere, nothing of others runs, and every page has its fences.
#[tokio::test]
async fn no_page_leads_elsewhere_or_lets_others_words_run() {
    let pages = Pages::open("").await;
    let id = pages.begun("me").await;
    let hostile =
        ["//evil.example", "\\\\evil.example", "javascript:alert(1)", "https://evil.example", "%0d%0aset-cookie:a=b"];
    let mut paths = vec!["/sign-in/callback/%3Cscript%3Ealert(1)%3C%2Fscript%3E?error=%3Cscript%3E".to_string()];
    for evil in hostile {
        let evil = evil.replace('\\', "%5C");
        paths.extend([
            format!("/sign-in/{id}?return_to={evil}&redirect_uri={evil}"),
            format!("/sign-in/callback/corp?return_to={evil}&state={evil}&code={evil}&error={evil}"),
        ]);
    }
    paths.push("/sign-in/callback/corp?state=a&state=b".to_string());
    paths.push("/sign-in/nobody".to_string());
    for path in paths {
        let (status, headers, page) = pages.get(&path, "").await;
        assert!(!status.is_redirection() && !headers.contains_key("location"), "{path}");
        assert!(!page.contains("<script") && !page.contains("evil.example"), "{path}: {page}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
        for fence in ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(fence), "{policy}");
        }
        let fences =
            [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")];
        assert!(fences.iter().all(|(name, value)| headers[*name] == *value), "{headers:?}");
    }
}

#[tokio::test]
async fn where_the_redirect_uri_is_tls_the_cookie_is_the_hosts_own() {
    let pages = Pages::open(", redirect_uri = \"https://gate.example/x/sign-in/callback/corp\"").await;
    let (entry, start) = pages.gate.oauth.begin_in_browser("corp", "acme.alice", "me").await.unwrap();
    assert_eq!(start, format!("https://gate.example/x/sign-in/{}", entry.id));
    let (_, headers, page) = pages.get(&format!("/sign-in/{}", entry.id), "").await;
    let cookie = headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-dragoman-sign-in=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(cookie.contains("; Path=/;") && !cookie.contains("Domain"), "{cookie}");
    let (code, state) = pages.gate.authority.approve(&link(&page));
    let value = cookie.split(';').next().unwrap();
    let back = format!("/sign-in/callback/corp?code={code}&state={state}");
    // What another page in clear can set is not believed, nor is one of two.
    let plain = value.replace("__Host-", "");
    for other in [plain.clone(), format!("{value}; {value}")] {
        assert_eq!(pages.get(&back, &other).await.0, 400, "{other}");
    }
    assert_eq!(pages.get(&back, &format!("{plain}; {value}")).await.0, 200);
}
