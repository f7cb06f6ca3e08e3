//! Applications that are told that a session has ended: by the server, and in the browser that signs out.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ambit_core::reach::Reach;
use ambit_core::store::sign_in::Sessions;
use ambit_core::store::{By, noun};
use ambit_protocol::admin::application::Application;
use ambit_protocol::id::SessionId;
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::jose::jws::{self, JwsRules};
use ambit_server::jobs::{JOBS, attempt};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::lending::{ISSUER, Lending};
use crate::people::form_token;
use crate::support::{Fixture, claims};
use crate::web::shop::Shop;
use crate::web::visitor::Visitor;

const LOOPBACK: &str = "[outbound]\nloopback = true\ntimeout = \"500 ms\"\n";
/// For calls that are answered, however busy the machine is.
const PATIENT: &str = "[outbound]\nloopback = true\ntimeout = \"5 s\"\n";
/// The answer of applications that wait for each other, and how many they are.
const TOGETHER: &str = "200 Together";
const ALL: usize = 3;

/// An application's own server, which answers what it is told to.
struct Listener {
    uri: String,
    answers: Arc<Mutex<String>>,
    /// The bodies that came so far.
    heard: watch::Receiver<Vec<String>>,
}

impl Listener {
    async fn answering(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}/logout", listener.local_addr().expect("an address"));
        let answers = Arc::new(Mutex::new(answer.to_owned()));
        let (hear, heard) = watch::channel(vec![]);
        let shared = answers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = shared.lock().expect("no panic").clone();
                let hear = hear.clone();
                tokio::spawn(async move {
                    let (stream, body) = read(stream).await;
                    hear.send_modify(|heard| heard.push(body));
                    if answer == TOGETHER {
                        // The sender lives as long as this task.
                        let _ = hear.subscribe().wait_for(|heard| heard.len() >= ALL).await;
                    }
                    reply(stream, &answer).await;
                });
            }
        });
        Self { uri, answers, heard }
    }

    fn now(&self, answer: &str) {
        answer.clone_into(&mut self.answers.lock().expect("no panic"));
    }

    fn heard(&self) -> Vec<String> {
        self.heard.borrow().clone()
    }
}

/// A request, taken in to the end of its body.
async fn read(mut stream: TcpStream) -> (TcpStream, String) {
    let mut all = String::new();
    let mut octets = [0; 4096];
    loop {
        let count = stream.read(&mut octets).await.unwrap_or_default();
        all.push_str(&String::from_utf8_lossy(&octets[..count]));
        let Some((head, body)) = all.split_once("\r\n\r\n") else {
            assert!(count > 0, "the head ends early: {all}");
            continue;
        };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if count == 0 || length.is_none_or(|length: usize| body.len() >= length) {
            return (stream, body.to_owned());
        }
    }
}

async fn reply(mut stream: TcpStream, answer: &str) {
    // Whoever asks may hang up at any moment.
    match answer {
        "never" => drop(stream.read_u8().await),
        "without end" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
            while stream.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
        }
        status => {
            let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(text.as_bytes()).await;
        }
    }
}

/// An application that wants to be told, and whose person has just signed in to it. Answers the `sid` of its ID token.
async fn signed_in(lending: &Lending, uris: &Value) -> String {
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, uris).await;
    let answer = lending.redeem(&lending.code(&[]).await).await;
    let id_token = claims(answer.json["id_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text)));
    id_token["sid"].as_str().expect("a session").to_owned()
}

async fn end(lending: &Lending, session: &str) {
    let session: SessionId = session.parse().expect("a session");
    let (now, sign_ins) = (lending.now(), lending.fixture.store.sign_ins());
    let ended = sign_ins.end_sessions(Sessions::One(session), now, now.plus_secs(3600)).await.expect("an answer");
    assert_eq!(ended.len(), 1);
}

async fn job(fixture: &Fixture) {
    let job = JOBS.iter().find(|job| job.name == "logout").expect("the job");
    attempt(fixture.server.app(), job).await.expect("a job that does its work");
}

/// What a logout token says, if it is one of ours and says that it is one.
async fn logout_token(fixture: &Fixture, body: &str) -> Value {
    let token = body.strip_prefix("logout_token=").unwrap_or_else(|| panic!("no logout token: {body}"));
    let published = fixture.get("/tenants/acme/connect/jwks").await.text;
    let (keys, _) = VerifyingKeys::from_published(published.as_bytes()).expect("keys");
    let rules = JwsRules { max_len: 10_000, typ: &["logout+jwt"], typ_may_be_absent: false };
    let payload = jws::verify(token, rules, &keys).expect("a signed logout token");
    serde_json::from_slice(payload.bytes()).expect("JSON")
}

#[tokio::test]
async fn the_job_logout_tells_an_application_that_a_session_has_ended() {
    let lending = Lending::with(LOOPBACK).await;
    let listener = Listener::answering("200 OK").await;
    let session = signed_in(&lending, &json!({"backchannel_logout_uri": listener.uri})).await;
    job(&lending.fixture).await;
    assert_eq!(listener.heard(), [""; 0], "nothing has ended");

    end(&lending, &session).await;
    job(&lending.fixture).await;
    let heard = listener.heard();
    assert_eq!(heard.len(), 1);
    let told = logout_token(&lending.fixture, &heard[0]).await;
    let now = lending.now().secs();
    assert_eq!((&told["iss"], &told["aud"]), (&json!(ISSUER), &json!("shop")));
    assert_eq!((&told["sub"], &told["sid"]), (&lending.user["id"], &json!(session)));
    assert_eq!((&told["iat"], &told["exp"]), (&json!(now), &json!(now + 120)));
    assert_eq!(told["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert!(told["jti"].is_string() && told.get("nonce").is_none());

    job(&lending.fixture).await;
    assert_eq!(listener.heard().len(), 1, "once");
}

/// attacks.md C13 289: a proxy would resolve the names by itself, and connect to wherever they lead.
#[test]
fn no_proxy_that_the_environment_names_is_asked() {
    let called = "oauth::logout::the_job_logout_tells_an_application_that_a_session_has_ended";
    let nobody = "http://127.0.0.1:1";
    let tested = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", called])
        .envs([("http_proxy", nobody), ("https_proxy", nobody), ("all_proxy", nobody), ("no_proxy", "")])
        .env_remove("NO_PROXY")
        .output()
        .expect("a process");
    let told = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success() && told.contains("1 passed"), "{told}");
}

/// Whoever knows people by pairwise names is told by those.
#[tokio::test]
async fn a_logout_token_names_the_person_as_id_tokens_do() {
    let lending = Lending::with(LOOPBACK).await;
    let listener = Listener::answering("204 No Content").await;
    let uris = json!({"backchannel_logout_uri": listener.uri, "subject_type": "pairwise"});
    let session = signed_in(&lending, &uris).await;
    end(&lending, &session).await;
    job(&lending.fixture).await;
    let told = logout_token(&lending.fixture, &listener.heard()[0]).await;
    assert!(told["sub"].as_str().is_some_and(|name| name.starts_with("ppid_")), "{told}");
}

/// attacks.md C13 289.
#[tokio::test]
async fn an_application_that_does_not_take_note_is_called_again_and_then_left_alone() {
    let lending = Lending::with(LOOPBACK).await;
    let listener = Listener::answering("500 Internal Server Error").await;
    let session = signed_in(&lending, &json!({"backchannel_logout_uri": listener.uri})).await;
    end(&lending, &session).await;
    job(&lending.fixture).await;
    let mut calls = 1;
    for (wait, answer) in
        [(10, "302 Found\r\nlocation: /elsewhere"), (60, "never"), (600, "400 Bad Request"), (3600, "503 Away")]
    {
        assert_eq!(listener.heard().len(), calls);
        listener.now(answer);
        lending.fixture.clock.advance_secs(wait - 1);
        job(&lending.fixture).await;
        assert_eq!(listener.heard().len(), calls, "a second early");
        lending.fixture.clock.advance_secs(1);
        job(&lending.fixture).await;
        calls += 1;
    }
    listener.now("200 OK");
    lending.fixture.clock.advance_secs(1_000_000);
    job(&lending.fixture).await;
    assert_eq!(listener.heard().len(), calls, "it was given up");
    let app = lending.fixture.server.app();
    let metrics = app.metrics.render(app);
    assert!(metrics.contains("ambit_logout_calls_total{outcome=\"given_up\"} 1"), "{metrics}");
}

/// attacks.md C13 289 and 293: what one application does keeps no other waiting for more than its time.
#[tokio::test]
async fn a_slow_an_endless_and_an_absent_application_hold_no_other_up() {
    let lending = Lending::with(LOOPBACK).await;
    let good = Listener::answering("200 OK").await;
    let session = signed_in(&lending, &json!({"backchannel_logout_uri": good.uri})).await;
    let slow = Listener::answering("never").await;
    let endless = Listener::answering("without end").await;
    for uri in [slow.uri.as_str(), &endless.uri, "http://127.0.0.1:9/logout"] {
        join(&lending, &session, 10, uri).await;
    }
    end(&lending, &session).await;
    let told = tokio::time::timeout(Duration::from_secs(20), job(&lending.fixture));
    told.await.expect("each has its time, and all have it at once");
    assert_eq!(good.heard().len(), 1);
    assert_eq!(endless.heard().len(), 10, "its status is enough, and its body is not read");
    lending.fixture.clock.advance_secs(10);
    job(&lending.fixture).await;
    assert_eq!((good.heard().len(), endless.heard().len()), (1, 10));
    assert_eq!(slow.heard().len(), 20);
}

/// More applications that a session signed its person in to, and that are called at one address.
async fn join(lending: &Lending, session: &str, count: usize, uri: &str) {
    let session: SessionId = session.parse().expect("a session");
    for n in 0..count {
        let body = json!({
            "name": format!("Other {n}"), "type": "web", "level": "tenant", "tenant_id": lending.tenant_id,
            "backchannel_logout_uri": uri, "id_token_signed_response_alg": "ES256",
        });
        let application = lending.fixture.made(Method::POST, "/applications", &body).await;
        let application = application["id"].as_str().expect("an id").parse().expect("an application's");
        lending.fixture.store.sign_ins().join_session(session, application).await.expect("joined");
    }
}

/// attacks.md C13 289: applications that answer when all have been called are all answered.
#[tokio::test]
async fn applications_are_told_at_once_and_none_waits_for_another() {
    let lending = Lending::with(PATIENT).await;
    let listener = Listener::answering(TOGETHER).await;
    let session = signed_in(&lending, &json!({"backchannel_logout_uri": listener.uri})).await;
    join(&lending, &session, ALL - 1, &listener.uri).await;
    end(&lending, &session).await;
    job(&lending.fixture).await;
    assert_eq!(listener.heard().len(), ALL);
    lending.fixture.clock.advance_secs(10);
    job(&lending.fixture).await;
    assert_eq!(listener.heard().len(), ALL, "each took note the first time");
}

/// attacks.md C13 293: so many are called at once, and the others after them in the same turn.
#[tokio::test]
async fn one_turn_tells_all_applications_however_many_they_are() {
    let lending = Lending::with(PATIENT).await;
    let listener = Listener::answering("200 OK").await;
    let session = signed_in(&lending, &json!({"backchannel_logout_uri": listener.uri})).await;
    join(&lending, &session, 199, &listener.uri).await;
    end(&lending, &session).await;
    job(&lending.fixture).await;
    let heard = listener.heard();
    let token = |body: &String| body.strip_prefix("logout_token=").map(claims).expect("a logout token");
    let told: BTreeSet<String> = heard.iter().map(|body| token(body)["aud"].to_string()).collect();
    assert_eq!((heard.len(), told.len()), (200, 200), "each once");
    lending.fixture.clock.advance_secs(10);
    job(&lending.fixture).await;
    assert_eq!(listener.heard().len(), 200);
}

#[tokio::test]
async fn nobody_is_called_who_is_gone_disabled_or_wants_nothing_any_more() {
    for change in [json!({"backchannel_logout_uri": null}), json!({"status": "disabled"}), Value::Null] {
        let lending = Lending::with(LOOPBACK).await;
        let listener = Listener::answering("200 OK").await;
        let session = signed_in(&lending, &json!({"backchannel_logout_uri": listener.uri})).await;
        end(&lending, &session).await;
        let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
        let method = if change.is_null() { Method::DELETE } else { Method::PATCH };
        let body = (!change.is_null()).then_some(&change);
        let root = lending.fixture.root().await;
        assert!(lending.fixture.admin(&root, method, &path, body).await.status.is_success());
        job(&lending.fixture).await;
        lending.fixture.clock.advance_secs(3600);
        job(&lending.fixture).await;
        assert_eq!(listener.heard(), [""; 0], "{change}");
    }
}

#[tokio::test]
async fn what_may_not_be_called_cannot_be_registered_and_is_not_called() {
    let lending = Lending::new().await;
    let id = lending.application["id"].as_str().expect("an id");
    let path = format!("/applications/{id}");
    let root = lending.fixture.root().await;
    for (body, pointer) in [
        (json!({"backchannel_logout_uri": "http://127.0.0.1/logout"}), "/backchannel_logout_uri"),
        (json!({"backchannel_logout_uri": "https://10.0.0.1/logout"}), "/backchannel_logout_uri"),
        (json!({"backchannel_logout_uri": "http://shop.example/logout"}), "/backchannel_logout_uri"),
        (json!({"backchannel_logout_uri": "https://shop.example/logout#now"}), "/backchannel_logout_uri"),
        (json!({"frontchannel_logout_uri": "https://evil.example/logout"}), "/frontchannel_logout_uri"),
        (json!({"frontchannel_logout_uri": "https://shop.example:8443/logout"}), "/frontchannel_logout_uri"),
        (json!({"frontchannel_logout_uri": "https://shop.example.evil.example/logout"}), "/frontchannel_logout_uri"),
        (json!({"frontchannel_logout_uri": "com.example.shop:/logout"}), "/frontchannel_logout_uri"),
        (
            json!({"grant_types": ["client_credentials"], "backchannel_logout_uri": "https://shop.example/out"}),
            "/backchannel_logout_uri",
        ),
    ] {
        let refused = lending.fixture.admin(&root, Method::PATCH, &path, Some(&body)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{body}: {}", refused.text);
    }
    // One that was registered while the switch was on.
    let listener = Listener::answering("200 OK").await;
    let found = noun::find::<Application>(&*lending.fixture.store, By::Id(id), Reach::Platform).await;
    let mut application = found.expect("the store").expect("the application");
    application.backchannel_logout_uri = Some(listener.uri.parse().expect("an address"));
    lending.fixture.change(async |edit| Ok(noun::update(edit.tx, application, None).await?)).await;
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let id_token = claims(tokens.json["id_token"].as_str().expect("an ID token"));
    end(&lending, id_token["sid"].as_str().expect("a session")).await;
    job(&lending.fixture).await;
    assert_eq!(listener.heard(), [""; 0]);
}

/// A browser is made busy by so many pages and no more, and by none of an application that is shut.
#[tokio::test]
async fn the_pages_of_so_many_applications_in_use_are_opened() {
    let shop = Shop::new().await;
    let (mut first, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut second, other) = Visitor::of(&shop.fixture, &shop.ada).await;
    for n in 0..22 {
        let client_id = format!("app-{n}");
        let made = Shop::registered(&shop.fixture, &shop.tenant, &client_id, &client_id).await;
        let uri = json!({"frontchannel_logout_uri": format!("https://app.example/out/{n}/")});
        shop.fixture.made(Method::PATCH, &format!("/applications/{client_id}"), &uri).await;
        let id = made["id"].as_str().expect("an id").parse().expect("an application's");
        let sign_ins = shop.fixture.store.sign_ins();
        sign_ins.join_session(session, id).await.expect("joined");
        if n < 3 {
            sign_ins.join_session(other, id).await.expect("joined");
        }
    }
    let sign_out = async |browser: &mut Visitor<'_>| {
        let token = form_token(&browser.get("/account/").await);
        browser.post("/account/sign-out", &[("form", &token)]).await
    };
    assert_eq!(sign_out(&mut first).await.text.matches("<iframe ").count(), 20);
    shop.fixture.made(Method::PATCH, "/applications/app-1", &json!({"status": "disabled"})).await;
    let page = sign_out(&mut second).await;
    assert_eq!(page.text.matches("<iframe ").count(), 2, "{}", page.text);
    assert!(!page.text.contains("/out/1/"), "{}", page.text);
}

#[tokio::test]
async fn the_browser_that_signs_out_opens_the_pages_of_its_applications() {
    let lending = Lending::new().await;
    let uris = json!({
        "frontchannel_logout_uri": "https://shop.example/out?kept=1",
        "post_logout_redirect_uris": ["https://shop.example/bye"],
    });
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, &uris).await;
    let answer = lending.redeem(&lending.code(&[]).await).await;
    let id_token = answer.json["id_token"].as_str().expect("an ID token");
    let sid = claims(id_token)["sid"].as_str().expect("a session").to_owned();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("id_token_hint", id_token), ("post_logout_redirect_uri", "https://shop.example/bye")])
        .finish();
    let request = Request::get(format!("/tenants/acme/connect/endsession?{query}"));
    let request = request.header(header::COOKIE, &lending.cookie).body(Body::empty()).expect("a request");
    let page = lending.fixture.send(request).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let frame =
        format!("https://shop.example/out?kept=1&#38;iss=https%3A%2F%2Fas.example%2Ftenants%2Facme&#38;sid={sid}");
    assert!(page.text.contains(&format!("<iframe hidden src=\"{frame}\"")), "{}", page.text);
    assert!(page.text.contains("content=\"2; url=https://shop.example/bye\""), "{}", page.text);
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.contains("; frame-src https://shop.example;"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"), "{policy}");
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    let sessions = lending.fixture.store.sign_ins().sessions_of(lending.user_id()).await.expect("an answer");
    assert!(sessions.is_empty(), "it has ended");
}
