//! Clients that publish their keys at a `jwks_uri`: what is fetched, how often, and what a publisher can do to us.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::doors::claims;
use crate::forge::{Forger, assertion_fields};
use crate::support::{Answer, BASE, Fixture, ROOT, ROOT_SECRET};

const LOOPBACK: &str = "[outbound]\nloopback = true\ntimeout = \"1 s\"\n\
    [rate_limits]\nclient_failures = 1000\naddress_failures = 1000\n";

/// Somebody who publishes keys, or something else.
struct Publisher {
    address: String,
    behaviour: Arc<Mutex<Behaviour>>,
    /// Requests so far.
    hits: watch::Receiver<usize>,
}

#[derive(Clone)]
enum Behaviour {
    /// Answers this.
    Says(String),
    /// Never answers.
    Hangs,
    /// One octet of the body now and then.
    Drips,
    /// A body without an end.
    Pours,
}

impl Publisher {
    async fn with(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let behaviour = Arc::new(Mutex::new(behaviour));
        let (hit, hits) = watch::channel(0);
        let shared = behaviour.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                hit.send_modify(|hits| *hits += 1);
                let behaviour = shared.lock().expect("no panic").clone();
                tokio::spawn(serve(stream, behaviour));
            }
        });
        Self { address, behaviour, hits }
    }

    async fn of(forger: &Forger) -> Self {
        Self::with(says("200 OK", "", &forger.jwks().to_string())).await
    }

    fn now(&self, behaviour: Behaviour) {
        *self.behaviour.lock().expect("no panic") = behaviour;
    }

    fn hits(&self) -> usize {
        *self.hits.borrow()
    }

    async fn is_hit(&mut self, times: usize) {
        let hit = self.hits.wait_for(|hits| *hits >= times);
        tokio::time::timeout(Duration::from_secs(5), hit).await.expect("in time").expect("the publisher lives");
    }
}

fn says(status: &str, headers: &str, body: &str) -> Behaviour {
    Behaviour::Says(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour) {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(octet),
            Err(_) => return,
        }
    }
    // Whoever asks may hang up at any moment, and then this is over.
    match behaviour {
        Behaviour::Says(answer) => {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Behaviour::Hangs => {
            let _ = stream.read_u8().await;
        }
        Behaviour::Drips => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Behaviour::Pours => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"keys\":[").await;
            while stream.write_all(&[b' '; 16 * 1024]).await.is_ok() {}
        }
    }
}

async fn register(fixture: &Fixture, id: &str, uri: &str) {
    let body = json!({"name": id, "client_id": id, "type": "service", "level": "platform", "allowed_scopes": ["scopes:read"],
        "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    assert_eq!((&made["jwks_uri"], &made["jwks"]), (&json!(uri), &Value::Null));
}

async fn ask(fixture: &Fixture, id: &str, forger: &Forger, jti: &str) -> Answer {
    let app = fixture.server.app();
    let mut claims = claims(id, BASE, jti);
    let now = app.clock.now().secs();
    (claims["iat"], claims["exp"]) = (json!(now), json!(now + 60));
    let fields = assertion_fields(&forger.sign(&claims));
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.push(("grant_type", "client_credentials"));
    fixture.form("/connect/token", None, &fields).await
}

async fn reason(fixture: &Fixture, answer: &Answer) -> String {
    fixture.server.app().journal.flush().await.expect("the journal is written");
    let trace_id = answer.json["trace_id"].as_str().expect("a trace");
    fixture.store.refusals_of_trace(trace_id).await.expect("records")[0].reason.clone()
}

#[tokio::test]
async fn keys_are_fetched_once_and_while_they_are_fresh_nobody_waits() {
    let fixture = Fixture::with(LOOPBACK).await;
    let forger = Forger::new("k1");
    let mut publisher = Publisher::of(&forger).await;
    register(&fixture, "etl", &format!("{}/jwks", publisher.address)).await;
    assert_eq!(publisher.hits(), 0, "nothing is fetched before somebody needs it");
    let asked = (0..10).map(async |n| ask(&fixture, "etl", &forger, &format!("first-{n}")).await);
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    assert_eq!(publisher.hits(), 1, "one fetch for all who asked at once");
    fixture.clock.advance_secs(299);
    publisher.now(Behaviour::Hangs);
    assert_eq!(ask(&fixture, "etl", &forger, "fresh").await.status, StatusCode::OK);
    assert_eq!(publisher.hits(), 1);
    // No longer fresh: still used, and fetched anew behind the answer.
    fixture.clock.advance_secs(1);
    assert_eq!(ask(&fixture, "etl", &forger, "stale").await.status, StatusCode::OK);
    publisher.is_hit(2).await;
    publisher.now(says("503 Service Unavailable", "", ""));
    // A publisher that is away for an hour is nobody's trouble; after two hours its keys are believed no longer.
    fixture.clock.advance_secs(3_600);
    assert_eq!(ask(&fixture, "etl", &forger, "away").await.status, StatusCode::OK);
    fixture.clock.advance_secs(3_600);
    let refused = ask(&fixture, "etl", &forger, "gone").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    assert_eq!(reason(&fixture, &refused).await, "keys_unavailable");
    publisher.now(says("200 OK", "cache-control: max-age=60\r\n", &forger.jwks().to_string()));
    let mut back = StatusCode::UNAUTHORIZED;
    // A fetch that began before may still be on its way, and whoever waits for it gets what it gets.
    for attempt in 0..3 {
        fixture.clock.advance_secs(10);
        back = ask(&fixture, "etl", &forger, &format!("back-{attempt}")).await.status;
        if back == StatusCode::OK {
            break;
        }
    }
    assert_eq!(back, StatusCode::OK);
}

#[tokio::test]
async fn a_new_key_is_looked_for_now_and_then_and_an_old_one_ends() {
    let fixture = Fixture::with(LOOPBACK).await;
    let (old, new) = (Forger::new("old"), Forger::new("new"));
    let publisher = Publisher::of(&old).await;
    register(&fixture, "etl", &publisher.address).await;
    assert_eq!(ask(&fixture, "etl", &old, "1").await.status, StatusCode::OK);
    publisher.now(says("200 OK", "", &new.jwks().to_string()));
    // Not at once: a stream of invented names would have us knock without an end.
    for n in 0..20 {
        let refused = ask(&fixture, "etl", &new, &format!("soon-{n}")).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(publisher.hits(), 1);
    fixture.clock.advance_secs(10);
    assert_eq!(ask(&fixture, "etl", &new, "2").await.status, StatusCode::OK);
    assert_eq!(publisher.hits(), 2);
    let refused = ask(&fixture, "etl", &old, "3").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    // The wrong key under a known name is no reason to look again.
    fixture.clock.advance_secs(10);
    let refused = ask(&fixture, "etl", &Forger::new("new"), "4").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(publisher.hits(), 2);
}

#[tokio::test]
async fn whatever_a_publisher_does_it_costs_a_bounded_time_and_others_nothing() {
    let fixture = Fixture::with(LOOPBACK).await;
    let (forger, good) = (Forger::new("k1"), Forger::new("k1"));
    let elsewhere = Publisher::of(&forger).await;
    let honest = Publisher::of(&good).await;
    register(&fixture, "honest", &honest.address).await;
    assert_eq!(ask(&fixture, "honest", &good, "warm").await.status, StatusCode::OK);
    let many = |count: usize| {
        let keys: Vec<Value> = (0..count)
            .map(|n| {
                let mut key = forger.jwk();
                key["kid"] = json!(format!("k{n}"));
                key
            })
            .collect();
        json!({"keys": keys}).to_string()
    };
    let mut private = forger.jwk();
    private["d"] = json!("AQ");
    let redirect = format!("location: {}/jwks\r\n", elsewhere.address);
    let ok = |body: &str| says("200 OK", "", body);
    let behaviours = [
        ("a redirect", says("302 Found", &redirect, "")),
        ("a redirect for ever", says("308 Permanent Redirect", &redirect, &forger.jwks().to_string())),
        ("a redirect to metadata", says("301 Moved Permanently", "location: http://169.254.169.254/\r\n", "")),
        ("not found", says("404 Not Found", "", "")),
        ("an error with keys", says("500 Internal Server Error", "", &forger.jwks().to_string())),
        ("no content", says("204 No Content", "", "")),
        ("unchanged, for a first request", says("304 Not Modified", "", "")),
        ("no JSON", ok("<html>keys</html>")),
        ("half of it", ok(&forger.jwks().to_string()[..40])),
        ("JSON of another kind", ok("[]")),
        ("keys of another kind", ok(r#"{"keys": {"k1": 1}}"#)),
        ("nothing", ok("")),
        ("no keys", ok(r#"{"keys": []}"#)),
        ("65 keys", ok(&many(65))),
        ("500 keys", ok(&many(500))),
        ("a private key", ok(&json!({"keys": [private]}).to_string())),
        ("a shared secret", ok(r#"{"keys": [{"kty": "oct", "kid": "k1", "k": "AQAB"}]}"#)),
        ("two keys of one name", ok(&json!({"keys": [forger.jwk(), Forger::new("k1").jwk()]}).to_string())),
        ("256 KiB and one octet", ok(&format!("{}{}", forger.jwks(), " ".repeat(256 * 1024)))),
        ("1 GB announced", Behaviour::Says("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n{".to_owned())),
        ("a body without an end", Behaviour::Pours),
        ("an octet now and then", Behaviour::Drips),
        ("no answer", Behaviour::Hangs),
        ("no HTTP", Behaviour::Says("SSH-2.0-OpenSSH_9.9\r\n".to_owned())),
        ("a head without an end", Behaviour::Says(format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(2_000_000)))),
    ];
    for (place, (name, behaviour)) in behaviours.into_iter().enumerate() {
        let publisher = Publisher::with(behaviour).await;
        let id = format!("bad-{place}");
        register(&fixture, &id, &format!("{}/jwks", publisher.address)).await;
        let bad = async {
            tokio::time::timeout(Duration::from_secs(4), ask(&fixture, &id, &forger, "x")).await.expect("an end")
        };
        let others = async {
            let by_key = ask(&fixture, "honest", &good, &format!("beside-{place}")).await;
            let by_secret = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[]).await;
            (by_key.status, by_secret.status)
        };
        let (refused, others) = futures_util::future::join(bad, others).await;
        assert_eq!(others, (StatusCode::OK, StatusCode::OK), "{name}");
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{name}: {}", refused.text);
        assert_eq!(refused.json["error_description"], "client authentication failed", "{name}");
        assert_eq!(reason(&fixture, &refused).await, "keys_unavailable", "{name}");
        // That there is nothing is remembered too.
        assert_eq!(ask(&fixture, &id, &forger, "y").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(publisher.hits(), 1, "{name}");
    }
    assert_eq!(elsewhere.hits(), 0, "no redirect is followed");
    // The largest that is read, the most keys, and a few of no use among them.
    let mut set: Value = serde_json::from_str(&many(64)).expect("JSON");
    set["keys"][0] = json!({"kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ"});
    let text = set.to_string();
    let padded = format!("{text}{}", " ".repeat(256 * 1024 - text.len()));
    let publisher = Publisher::with(ok(&padded)).await;
    register(&fixture, "large", &publisher.address).await;
    assert_eq!(ask(&fixture, "large", &forger, "z").await.status, StatusCode::OK);
}

#[tokio::test]
async fn so_many_fetches_run_at_once_and_no_more() {
    // Long enough for all of them to come, however slow the machine.
    let fixture = Fixture::with(&LOOPBACK.replace("1 s", "5 s")).await;
    let forger = Forger::new("k1");
    let publisher = Publisher::with(Behaviour::Hangs).await;
    for n in 0..40 {
        register(&fixture, &format!("slow-{n}"), &format!("{}/{n}", publisher.address)).await;
    }
    let asked = (0..40).map(|n| {
        let (fixture, forger) = (&fixture, &forger);
        async move { ask(fixture, &format!("slow-{n}"), forger, "x").await.status }
    });
    let (mut hits, all) = (publisher.hits.clone(), futures_util::future::join_all(asked));
    tokio::select! {
        statuses = all => panic!("nobody is answered while nothing comes: {statuses:?}"),
        () = async {
            hits.wait_for(|hits| *hits >= 32).await.expect("the publisher lives");
            tokio::time::sleep(Duration::from_millis(300)).await;
        } => {}
    }
    assert_eq!(publisher.hits(), 32);
    let beside = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[]).await;
    assert_eq!(beside.status, StatusCode::OK);
}

#[tokio::test]
async fn the_keys_are_in_one_place_or_in_the_other() {
    let fixture = Fixture::with(LOOPBACK).await;
    let root = fixture.root().await;
    let forger = Forger::new("k1");
    let body = |more: Value| {
        let mut body = json!({"name": "X", "type": "service", "level": "platform", "token_endpoint_auth_method": "private_key_jwt"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let uri = "https://etl.example/jwks";
    for (more, pointer) in [
        (json!({}), "/jwks"),
        (json!({"jwks": null, "jwks_uri": null}), "/jwks"),
        (json!({"jwks": {"keys": []}}), "/jwks"),
        (json!({"jwks": forger.jwks(), "jwks_uri": uri}), "/jwks_uri"),
        (json!({"jwks": {"keys": []}, "jwks_uri": uri}), "/jwks_uri"),
        (json!({"jwks_uri": "http://etl.example/jwks"}), "/jwks_uri"),
        (json!({"jwks_uri": "https://10.0.0.1/jwks"}), "/jwks_uri"),
        (json!({"jwks_uri": "https://[::ffff:127.0.0.1]/jwks"}), "/jwks_uri"),
        (json!({"jwks_uri": "https://user:secret@etl.example/jwks"}), "/jwks_uri"),
        (json!({"jwks_uri": "https://etl.example/jwks#x"}), "/jwks_uri"),
        (json!({"jwks_uri": "file:///etc/passwd"}), "/jwks_uri"),
        (json!({"jwks_uri": [uri]}), "/jwks_uri"),
    ] {
        let refused = fixture.admin(&root, Method::POST, "/applications", Some(&body(more.clone()))).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{more}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{more}: {}", refused.text);
    }
    let made = fixture.made(Method::POST, "/applications", &body(json!({"jwks_uri": uri}))).await;
    let path = format!("/applications/{}", made["id"].as_str().expect("an id"));
    let patch = async |change: Value| fixture.admin(&root, Method::PATCH, &path, Some(&change)).await;
    assert_eq!(patch(json!({"jwks": forger.jwks()})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(patch(json!({"jwks_uri": null})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let moved = patch(json!({"jwks": forger.jwks(), "jwks_uri": null})).await;
    assert_eq!((moved.status, &moved.json["jwks_uri"]), (StatusCode::OK, &Value::Null), "{}", moved.text);
    let back = patch(json!({"jwks": null, "jwks_uri": uri})).await;
    assert_eq!((back.status, &back.json["jwks_uri"]), (StatusCode::OK, &json!(uri)), "{}", back.text);
    let shown = fixture.admin(&root, Method::GET, &path, None).await;
    assert_eq!(shown.json, back.json);
}

#[tokio::test]
async fn unless_the_switch_is_on_no_address_leads_to_this_machine() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let publisher = Publisher::of(&Forger::new("k1")).await;
    for uri in [
        publisher.address.as_str(),
        "https://localhost/jwks",
        "https://127.0.0.1/jwks",
        "https://[::1]/jwks",
        "http://localhost:9/",
    ] {
        let body = json!({"name": "X", "type": "service", "level": "platform", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri});
        let refused = fixture.admin(&root, Method::POST, "/applications", Some(&body)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{uri}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], "/jwks_uri");
    }
    assert_eq!(publisher.hits(), 0);
}

#[tokio::test]
async fn no_request_names_an_address_that_is_fetched() {
    let fixture = Fixture::with(LOOPBACK).await;
    let publisher = Publisher::of(&Forger::new("k1")).await;
    let (uri, forger) = (&publisher.address, Forger::new("k1"));
    let header = json!({"alg": "ES256", "kid": "k1", "jku": uri, "x5u": uri}).to_string();
    let assertion = forger.token(&header, claims(ROOT, BASE, "x").to_string());
    let fields = assertion_fields(&assertion);
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.extend([("grant_type", "client_credentials"), ("jwks_uri", uri), ("request_uri", uri), ("resource", uri)]);
    let refused = fixture.form("/connect/token", None, &fields).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    let token = forger.token(&header, claims(ROOT, BASE, "x").to_string());
    let told =
        fixture.form("/connect/introspect", Some((ROOT, ROOT_SECRET)), &[("token", &token), ("jwks_uri", uri)]).await;
    assert_eq!(told.text, r#"{"active":false}"#);
    assert_eq!(told.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(publisher.hits(), 0);
}
