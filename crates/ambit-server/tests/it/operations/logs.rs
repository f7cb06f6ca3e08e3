//! One line for each request, and nothing in it that was not meant to be there.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use ambit_server::config::LogFormat;
use ambit_server::logs::Log;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, header};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::support::{Fixture, ROOT, ROOT_SECRET, basic};

/// What was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    pub(crate) fn text(&self, fixture: &Fixture) -> String {
        fixture.server.app().log.flush();
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }

    /// Each line is one JSON object.
    pub(crate) fn lines(&self, fixture: &Fixture) -> Vec<Value> {
        let text = self.text(fixture);
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server that writes its log on paper.
pub(super) async fn logged(file: &str, paper: &Paper) -> Fixture {
    Fixture::altered(file, |mut parts| {
        let clock = parts.clock.clone();
        parts.log = Log::start(LevelFilter::TRACE, LogFormat::Json, clock, paper.clone()).expect("a thread");
        parts
    })
    .await
}

#[tokio::test]
async fn a_line_names_tenant_unit_actor_outcome_and_reason() {
    let paper = Paper::default();
    let fixture = logged("", &paper).await;
    let tenant = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
    let units = format!("/tenants/{}/units", tenant["id"].as_str().expect("an id"));
    fixture.made(Method::POST, &units, &json!({"name": "North", "slug": "north", "kind": "region"})).await;
    let acting = [("tenant", "acme"), ("unit", "north")];
    let token = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &acting).await.access_token();
    let refused = [("scope", "nope"), acting[0], acting[1]];
    fixture.token("/connect/token", (ROOT, ROOT_SECRET), &refused).await;
    fixture.admin(&token, Method::GET, "/features", None).await;
    // What a client that was not authenticated says of itself is proven by nothing.
    fixture.token("/connect/token", ("nobody", "x"), &acting).await;

    let lines = paper.lines(&fixture);
    let last: Vec<Value> = lines[lines.len() - 4..]
        .iter()
        .map(|line| {
            json!([line["route"], line["tenant"], line["unit"], line["actor"], line["outcome"], line["reason"]])
        })
        .collect();
    assert_eq!(last[0], json!(["/connect/token", "acme", "north", ROOT, "issued", null]));
    assert_eq!(last[1], json!(["/connect/token", "acme", "north", ROOT, "refused", "invalid_scope"]));
    let actor = format!("client:{ROOT}");
    assert_eq!(last[2], json!(["/api/v1/admin/features", "acme", "north", actor, "answered", null]));
    assert_eq!(last[3], json!(["/connect/token", null, null, null, "refused", "client_unknown"]));
}

/// attacks.md 351: "CR/LF, ANSI escapes, 1 MB, JSON break in user fields": structured and escaped.
#[tokio::test]
async fn whatever_is_sent_a_request_is_one_line() {
    let paper = Paper::default();
    let fixture = logged("", &paper).await;
    let evil = "a\r\n{\"level\":\"ERROR\"}\u{1b}[2J\"\\\u{202e}\u{2028}";
    let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    let long = "x".repeat(60_000);
    let body = json!({"name": evil, "client_id": "etl", "type": "service", "level": "platform"});
    fixture.admin(&fixture.root().await, Method::POST, "/applications", Some(&body)).await;
    let before = paper.lines(&fixture).len();
    for (client_id, scope, tenant) in [(evil, evil, evil), ("nobody", &long, evil), (ROOT, evil, &long)] {
        fixture.token("/connect/token", (client_id, ROOT_SECRET), &[("scope", scope), ("tenant", tenant)]).await;
    }
    for path in
        [format!("/{encoded}"), format!("/errors/{encoded}/x?{encoded}"), format!("/tenants/{encoded}/connect/jwks")]
    {
        fixture.get(&path).await;
    }
    let request = Request::get("/healthz")
        .header(
            header::USER_AGENT,
            HeaderValue::from_bytes(b"a\x1b[31m\xff\t").unwrap_or(HeaderValue::from_static("a")),
        )
        .header("x-forwarded-for", "1.2.3.4, evil\"}")
        .header("traceparent", "\"}");
    fixture.send(request.body(Body::empty()).expect("a request")).await;
    fixture.send(Request::builder().method("X-EVIL\u{7c}").uri("/").body(Body::empty()).expect("a request")).await;

    let text = paper.text(&fixture);
    let lines = paper.lines(&fixture);
    assert_eq!(lines.len() - before, 8, "{text}");
    assert!(lines.iter().all(|line| line["message"] == "request" && line["level"] != "ERROR"), "{text}");
    assert!(!text.contains(['\u{1b}', '\r', '\u{202e}', '\u{2028}']), "{text}");
    assert!(text.lines().all(|line| line.len() < 2_000), "no line is long, whatever was sent");
}

#[tokio::test]
async fn no_secret_and_no_query_is_ever_in_the_log() {
    let paper = Paper::default();
    let fixture = logged("", &paper).await;
    let body = json!({"name": "Etl", "client_id": "etl", "type": "service", "level": "platform",
                      "allowed_scopes": ["admin:read"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let secret = made["client_secret"].as_str().expect("a secret").to_owned();
    let token = fixture.token("/connect/token", ("etl", &secret), &[]).await.access_token();
    let canary = "CANARY-CANARY-CANARY";
    fixture.token("/connect/token", ("etl", canary), &[]).await;
    fixture.get(&format!("/connect/token?client_secret={canary}&scope={canary}")).await;
    fixture.raw_form(&format!("/connect/token?client_secret={canary}"), Some(("etl", &secret)), "grant_type=x").await;
    fixture.raw_form("/connect/token", None, &format!("client_id=etl&client_secret={canary}&client_secret=b")).await;
    fixture.get(&format!("/api/v1/admin/applications?cursor={canary}&access_token={canary}")).await;
    fixture.admin(&format!("{token}{canary}"), Method::GET, "/applications", None).await;
    fixture.form("/connect/introspect", Some(("etl", &secret)), &[("token", canary)]).await;
    fixture.form("/connect/revoke", Some(("etl", &secret)), &[("token", &token)]).await;
    let request = Request::get("/readyz")
        .header(header::AUTHORIZATION, basic("etl", canary))
        .header(header::COOKIE, canary)
        .header("x-api-key", canary);
    fixture.send(request.body(Body::empty()).expect("a request")).await;

    let text = paper.text(&fixture);
    let signature = token.rsplit('.').next().expect("a signature");
    for hidden in [canary, &secret, signature, ROOT_SECRET, "access_token=", "Q0FOQVJZ"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert!(text.lines().count() >= 9);
}

#[tokio::test]
async fn what_is_asked_about_an_error_is_in_no_line() {
    let paper = Paper::default();
    let fixture = logged("", &paper).await;
    let marker = "zanzibar-of-which-nobody-speaks";
    let text = format!("{marker} {{\"error\":\"invalid_grant\",\"error_description\":\"{marker}\"}}");
    let ask = async |path: &str, media_type: &str, body: String| {
        let request = Request::post(path).header(header::CONTENT_TYPE, media_type).body(Body::from(body));
        fixture.send(request.expect("a request")).await
    };
    for (media_type, body) in [("text/plain", text.clone()), ("application/json", json!({ "text": text }).to_string())]
    {
        let answer = ask("/api/v1/errors/match", media_type, body).await;
        assert!(answer.text.contains(marker), "it was read: {}", answer.text);
    }
    ask("/api/v1/errors/match", "application/json", format!("{{\"text\":\"{marker}")).await;
    fixture.form("/errors/", None, &[("text", &text)]).await;
    fixture.get(&format!("/errors/?q={marker}")).await;
    let log = paper.text(&fixture);
    assert!(log.contains("/api/v1/errors/match") && !log.contains(marker), "{log}");
}
