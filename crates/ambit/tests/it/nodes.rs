//! Two server processes on one PostgreSQL: what is changed on one decides on the other.

#![expect(clippy::disallowed_methods, reason = "the time from one node's answer to the other's is what is measured")]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ambit_protocol::jose::{Algorithm, SigningKey, VerifyingKeys};
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, Validation};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{AS_ROOT, ISSUER, Node, Postgres, Setup, claims, folder, header, on_postgres};

/// A node with a folder of its own, on the shared database and with the shared master key.
pub(crate) fn node(database_url: &str, folder: &Path) -> Setup {
    Setup::lasting(folder)
        .variable("AMBIT_DATABASE_URL", database_url)
        .variable("AMBIT_MASTER_KEY_FILE", &folder.join("master.key").display().to_string())
}

/// From now on, when a change was acknowledged on one node: the other decides by it within a second, and never again
/// otherwise.
async fn settles(what: &str, is_decided: impl AsyncFn() -> bool) {
    let acknowledged = Instant::now();
    while !is_decided().await {
        assert!(acknowledged.elapsed() < LIMIT, "{what}: not decided after {:?}", acknowledged.elapsed());
    }
    let took = acknowledged.elapsed();
    assert!(took < LIMIT, "{what}: it took {took:?}");
    for _ in 0..12 {
        assert!(is_decided().await, "{what}: decided by what was before");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn changes_settle(database: &Postgres) {
    let folder = folder();
    let setup = node(&database.url(), folder.path());
    let (a, b) = tokio::join!(setup.start(), setup.start());

    // What a client may have.
    let secret = a.service("worker", &["tenants:read"]).await;
    let worker = ("worker", secret.as_str());
    let granted = async |scope: &str| b.token(worker, &[("scope", scope)]).await.status == 200;
    settles("a registered application", async || granted("tenants:read").await).await;
    assert!(!granted("scopes:read").await);
    a.made(Method::POST, "/applications/worker/allowed_scopes", &json!({"scope": "scopes:read"})).await;
    settles("an allowed scope", async || granted("scopes:read").await).await;
    let token = b.token(worker, &[("scope", "scopes:read")]).await.access_token();
    assert_eq!(b.admin(&token, Method::GET, "/scopes", None).await.status, 200);
    let root = a.root().await;
    let gone = a.admin(&root, Method::DELETE, "/applications/worker/allowed_scopes/scopes:read", None).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    settles("a scope that is allowed no longer", async || !granted("scopes:read").await).await;
    assert_eq!(b.admin(&token, Method::GET, "/scopes", None).await.status, 403, "it narrows tokens that are out");

    // A gate, on both levels.
    a.made(Method::POST, "/features", &json!({"key": "receipts", "title": "Receipts"})).await;
    a.made(Method::POST, "/apis", &json!({"identifier": "https://pos.example", "name": "POS"})).await;
    let scope = json!({"name": "receipts:read", "api": "https://pos.example", "kind": "granular", "title": "Read",
        "description": "Read receipts", "feature": "receipts"});
    a.made(Method::POST, "/scopes", &scope).await;
    a.made(Method::POST, "/applications/worker/allowed_scopes", &json!({"scope": "receipts:read"})).await;
    let tenant = a.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await["id"].clone();
    let tenant = tenant.as_str().expect("an identifier");
    let unit = json!({"name": "North", "slug": "north", "kind": "retailer"});
    let unit = a.made(Method::POST, &format!("/tenants/{tenant}/units"), &unit).await["id"].clone();
    let unit = unit.as_str().expect("an identifier");
    let fields = [("scope", "receipts:read tenants:read"), ("tenant", "acme"), ("unit", "north")];
    let carries = async || {
        let answer = b.token(worker, &fields).await;
        answer.json["scope"].as_str().is_some_and(|scope| scope.contains("receipts:read"))
    };
    for (what, path, enabled, open) in [
        ("a feature on", format!("/tenants/{tenant}/features/receipts"), json!(true), true),
        ("a unit's flag off", format!("/units/{unit}/features/receipts"), json!(false), false),
        ("a unit's flag unset", format!("/units/{unit}/features/receipts"), Value::Null, true),
        ("a feature off", format!("/tenants/{tenant}/features/receipts"), json!(false), false),
    ] {
        a.made(Method::PUT, &path, &json!({ "enabled": enabled })).await;
        settles(what, async || carries().await == open).await;
    }

    // A tenant's status.
    a.made(Method::POST, &format!("/tenants/{tenant}/status"), &json!({"status": "active"})).await;
    a.made(Method::POST, &format!("/tenants/{tenant}/status"), &json!({"status": "suspended"})).await;
    settles("a suspended tenant", async || b.token(worker, &fields).await.status == 402).await;

    // A token that is taken back.
    let token = b.token(worker, &[("scope", "tenants:read")]).await.access_token();
    assert_eq!(b.admin(&token, Method::GET, "/tenants", None).await.status, 200);
    assert_eq!(a.form("/connect/revoke", worker, &[("token", &token)]).await.status, 200);
    settles("a revoked token", async || {
        b.admin(&token, Method::GET, "/tenants", None).await.status == 401 && !b.is_active(worker, &token).await
    })
    .await;

    // A secret that is withdrawn. Whoever failed too often is told to wait, which is no token either.
    let first = a.list("/applications/worker/secrets").await[0]["id"].clone();
    a.made(Method::POST, "/applications/worker/secrets", &json!({})).await;
    let path = format!("/applications/worker/secrets/{}", first.as_str().expect("an identifier"));
    assert_eq!(a.admin(&root, Method::DELETE, &path, None).await.status, 204);
    settles("a withdrawn secret", async || !granted("tenants:read").await).await;

    // An application that is disabled.
    let other = a.service("other", &["tenants:read"]).await;
    let other = ("other", other.as_str());
    settles("another application", async || b.token(other, &[]).await.status == 200).await;
    let token = b.token(other, &[]).await.access_token();
    assert_eq!(b.admin(&token, Method::GET, "/tenants", None).await.status, 200);
    a.made(Method::PATCH, "/applications/other", &json!({"status": "disabled"})).await;
    settles("a disabled application", async || {
        b.admin(&token, Method::GET, "/tenants", None).await.status == 401 && b.token(other, &[]).await.status != 200
    })
    .await;

    // The key that signs; then a key that is withdrawn.
    let before = b.root().await;
    a.made(Method::POST, "/keys/rotate", &json!({"force": true})).await;
    settles("a rotated key", async || header(&b.root().await)["kid"] != header(&before)["kid"]).await;
    assert_eq!(b.admin(&before, Method::GET, "/tenants", None).await.status, 200, "the key before it still verifies");
    let kid = header(&before)["kid"].clone();
    a.made(Method::POST, &format!("/keys/{}/revoke", kid.as_str().expect("a kid")), &json!({})).await;
    settles("a revoked key", async || b.admin(&before, Method::GET, "/tenants", None).await.status == 401).await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_one_node_decides_on_the_other_within_a_second_and_never_otherwise_again() {
    on_postgres(changes_settle).await;
}

async fn one_bootstraps(database: &Postgres) {
    let folder = folder();
    let setup = node(&database.url(), folder.path());
    let (a, b) = tokio::join!(setup.start(), setup.start());
    for node in [&a, &b] {
        assert_eq!(node.get("/readyz").await.status, 200);
        let keys = node.list("/keys").await;
        let mut states: Vec<&str> = keys.iter().filter_map(|key| key["state"].as_str()).collect();
        states.sort_unstable();
        assert_eq!(states, ["active", "next"], "each key was made once");
        assert_eq!(node.list("/applications").await.len(), 2);
        let audit = node.list("/audit").await;
        let made = audit.iter().filter(|change| change["resource"] == "application").count();
        assert_eq!(made, 2, "the first client and the command line were registered once");
    }

    // The key set of one verifies the tokens of the other.
    for (signs, publishes) in [(&a, &b), (&b, &a)] {
        let token = signs.root().await;
        let set = publishes.get("/connect/jwks").await;
        let (keys, left_out) = VerifyingKeys::from_published(set.text.as_bytes()).expect("a key set");
        assert!(left_out.is_empty());
        let (issuer, audience) = (|issuer: &str| issuer == ISSUER, |_: &str| true);
        let now = Timestamp::from_secs(claims(&token)["iat"].as_i64().expect("a moment"));
        let validation = Validation::new(Accepted::Where(&issuer), Accepted::Where(&audience), now);
        verify::access_token(&token, &keys, &validation).expect("the other node's keys verify it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_start_at_once_on_an_empty_database_one_fills_it_and_both_serve() {
    on_postgres(one_bootstraps).await;
}

async fn once_is_once(database: &Postgres) {
    let folder = folder();
    let setup = node(&database.url(), folder.path());
    let (a, b) = tokio::join!(setup.start(), setup.start());
    let root = a.root().await;

    // The same request with the same key, at once and again, on either node: one application, one answer.
    let body = json!({"name": "Once", "type": "service", "level": "platform", "allowed_scopes": ["tenants:read"]});
    let keyed = |node: &Node, body: &Value| {
        node.admin_request(&root, Method::POST, "/applications", Some(body)).header("idempotency-key", "one-of-a-kind")
    };
    let (first, second) = tokio::join!(a.send(keyed(&a, &body)), b.send(keyed(&b, &body)));
    let third = a.send(keyed(&a, &body)).await;
    assert_eq!((first.status, second.status, third.status), (201, 201, 201), "{} {}", first.text, second.text);
    assert_eq!(first.json, second.json, "the secret is the same, too");
    assert_eq!(first.json, third.json);
    let replayed = [&first, &second].iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
    assert_eq!(replayed, 1);
    assert_eq!(b.list("/applications").await.len(), 3);
    let other = json!({"name": "Twice", "type": "service", "level": "platform"});
    assert_eq!(b.send(keyed(&b, &other)).await.status, 422, "another request under the same key");

    // An assertion that one node took is used on the other, too; of two at once one is taken.
    let key = SigningKey::generate(Algorithm::Es256).expect("a key");
    let body = json!({"name": "Etl", "client_id": "etl", "type": "service", "level": "platform",
        "allowed_scopes": ["tenants:read"], "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key.public_jwk("k1")]}});
    a.made(Method::POST, "/applications", &body).await;
    let present = async |node: &Node, assertion: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
        ];
        node.send(node.form_request("/connect/token", None, &fields)).await.status
    };
    settles("a registered key", async || present(&b, &assertion(&key, "etl", &unique())).await == 200).await;
    let one = assertion(&key, "etl", &unique());
    assert_eq!(present(&a, &one).await, 200);
    assert_eq!(present(&b, &one).await, 401);
    assert_eq!(present(&a, &one).await, 401);
    let raced = assertion(&key, "etl", &unique());
    let (left, right) = tokio::join!(present(&a, &raced), present(&b, &raced));
    assert_eq!((left.min(right), left.max(right)), (200, 401));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_counts_once_counts_once_on_all_nodes() {
    on_postgres(once_is_once).await;
}

async fn other_key(database: &Postgres) {
    let folders = (folder(), folder());
    let first = node(&database.url(), folders.0.path()).start().await;
    assert_eq!(first.token(AS_ROOT, &[]).await.status, 200);
    // No master key yet: none is made for a database that has keys under another one.
    let refused = node(&database.url(), folders.1.path()).refused().await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("put it back"), "{}", refused.stderr);
    assert!(!folders.1.path().join("master.key").exists());
    // And another one does not do.
    let stranger = folder();
    node(&format!("sqlite://{}", stranger.path().join("a.db").display()), stranger.path()).start().await.stop().await;
    std::fs::copy(stranger.path().join("master.key"), folders.1.path().join("master.key")).expect("a copy");
    let refused = node(&database.url(), folders.1.path()).refused().await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("master key"), "{}", refused.stderr);
    assert_eq!(first.token(AS_ROOT, &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_master_key_does_not_start() {
    on_postgres(other_key).await;
}

/// A client assertion (RFC 7523) for our issuer.
pub(crate) fn assertion(key: &SigningKey, client_id: &str, jti: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = json!({"iss": client_id, "sub": client_id, "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 120});
    key.sign(&key.header("JWT", "k1"), claims.to_string().as_bytes()).expect("a signature")
}

pub(crate) fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("j-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Issue and README promise it.
const LIMIT: Duration = Duration::from_secs(1);
