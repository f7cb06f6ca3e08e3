//! The gate of the admin API: our own API behind our own middleware, with facts that are in memory.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use ambit_core::page;
use ambit_core::time::Clock as _;
use ambit_protocol::jose::Algorithm;
use ambit_resource_server::pages;
use ambit_server::config::LogFormat;
use ambit_server::logs::Log;
use ambit_server::routes;
use ambit_store::{SqlStore, StoreConfig};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::support::{Answer, BASE, Fixture, ROOT, ROOT_SECRET, TestClock, claims};

const METADATA: &str = "/.well-known/oauth-protected-resource/api/v1/admin";

/// An application of a level, and its credentials.
async fn application(fixture: &Fixture, client_id: &str, body: Value) -> (String, String) {
    let mut whole = json!({"name": client_id, "client_id": client_id, "type": "service", "level": "platform"});
    whole.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
    let made = fixture.made(Method::POST, "/applications", &whole).await;
    (client_id.to_owned(), made["client_secret"].as_str().expect("shown once").to_owned())
}

async fn token(fixture: &Fixture, client: &(String, String), fields: &[(&str, &str)]) -> String {
    fixture.token("/connect/token", (&client.0, &client.1), fields).await.access_token()
}

/// A token that says what it likes, with a signature of ours.
fn forged(fixture: &Fixture, honest: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(honest);
    change(&mut claims);
    let keys = fixture.server.app().registry.snapshot().keys.clone();
    let signer = keys.signer(Algorithm::Es256).expect("a key");
    signer.key.sign(&signer.access_token_header, claims.to_string().as_bytes()).expect("a signature")
}

async fn is_active(fixture: &Fixture, token: &str) -> bool {
    let answer = fixture.form("/connect/introspect", Some((ROOT, ROOT_SECRET)), &[("token", token)]).await;
    answer.json["active"].as_bool().expect("an answer")
}

#[tokio::test]
async fn the_admin_api_says_what_its_routes_require() {
    let fixture = Fixture::new().await;
    let answer = fixture.get(METADATA).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json["resource"], format!("{BASE}/api/v1/admin"));
    assert_eq!(answer.json["authorization_servers"], json!([BASE]));
    assert_eq!(answer.json["bearer_methods_supported"], json!(["header"]));
    assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    let listed: BTreeSet<String> = serde_json::from_value(answer.json["scopes_supported"].clone()).expect("names");
    let required: BTreeSet<String> = routes::table()
        .iter()
        .filter_map(|route| match route.guard {
            routes::Guard::Admin(needs) => Some(needs.scopes().map(str::to_owned)),
            routes::Guard::Public | routes::Guard::Client => None,
        })
        .flatten()
        .collect();
    assert!(required.contains("admin:write") && required.contains("audit:read"), "{required:?}");
    assert_eq!(listed, required);

    // Whoever is turned away without a token finds it: RFC 9728 §5.1. No error is named, RFC 6750 §3.1.
    let stranger = Request::get("/api/v1/admin/applications").header(header::HOST, "evil.example").body(Body::empty());
    let refused = fixture.send(stranger.expect("a request")).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused.header(header::WWW_AUTHENTICATE),
        format!(r#"Bearer scope="admin:read", resource_metadata="{BASE}{METADATA}""#)
    );
}

#[tokio::test]
async fn every_refusal_of_the_middleware_has_its_page_here() {
    let fixture = Fixture::new().await;
    for theirs in pages::ALL {
        let ours = page::find(theirs.slug).unwrap_or_else(|| panic!("no page {}", theirs.slug));
        assert_eq!((ours.title, ours.status), (theirs.title, theirs.status), "{}", theirs.slug);
        assert_eq!(fixture.get(&format!("/errors/{}", theirs.slug)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_scope_is_what_a_token_of_another_api_lacks_and_the_audience_is_required_all_the_same() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    let at = async |aud: Value, scope: &str| {
        let token = forged(&fixture, &root, |claims| {
            claims["aud"] = aud;
            claims["scope"] = json!(scope);
        });
        fixture.admin(&token, Method::GET, "/applications", None).await
    };
    let (admin_api, other) = (json!(format!("{BASE}/api/v1/admin")), json!("https://gone.example"));
    assert_eq!(at(admin_api.clone(), "admin:read").await.status, StatusCode::OK);
    assert_eq!(at(admin_api, "").await.status, StatusCode::FORBIDDEN);
    let without = at(other.clone(), "openid").await;
    assert_eq!(without.status, StatusCode::FORBIDDEN);
    assert_eq!(without.json["detail"], "Platform token requires admin:read or admin:write scope");
    let with = at(other, "admin:read").await;
    assert_eq!(with.status, StatusCode::UNAUTHORIZED, "{}", with.text);
    assert!(with.json["detail"].as_str().expect("a detail").starts_with("the token is for another audience"));
}

#[tokio::test]
async fn the_refusal_names_the_level_of_the_caller() {
    let fixture = Fixture::new().await;
    let partner = fixture.made(Method::POST, "/partners", &json!({"name": "Resell", "slug": "resell"})).await;
    let of_partner =
        json!({"level": "partner", "partner_id": partner["id"], "allowed_scopes": ["scopes:read", "admin:read"]});
    let client = application(&fixture, "resell-ops", of_partner).await;
    for (scope, method, detail) in [
        ("scopes:read", Method::GET, "Partner token requires admin:read or admin:write scope"),
        ("scopes:read", Method::POST, "Partner token requires admin:read or admin:write scope"),
        ("admin:read", Method::POST, "Partner token requires admin:write scope"),
    ] {
        let token = token(&fixture, &client, &[("scope", scope)]).await;
        let refused = fixture.admin(&token, method, "/tenants", Some(&json!({}))).await;
        assert_eq!((refused.status, &refused.json["detail"]), (StatusCode::FORBIDDEN, &json!(detail)), "{scope}");
    }
}

#[tokio::test]
async fn a_scope_that_was_taken_away_no_longer_opens_and_one_that_was_given_does_not_yet() {
    let fixture = Fixture::new().await;
    let client = application(&fixture, "ops", json!({"allowed_scopes": ["admin:read"]})).await;
    let reading = token(&fixture, &client, &[]).await;
    assert_eq!(fixture.admin(&reading, Method::GET, "/scopes", None).await.status, StatusCode::OK);

    fixture.made(Method::PATCH, "/applications/ops", &json!({"allowed_scopes": ["scopes:read", "admin:write"]})).await;
    let refused = fixture.admin(&reading, Method::GET, "/applications", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(refused.json["presented"], "admin:read", "what the token says has not changed");
    assert_eq!(refused.json["detail"], "Platform token requires admin:read or admin:write scope");
    // Its old token does not carry what it may have now.
    assert_eq!(fixture.admin(&reading, Method::GET, "/scopes", None).await.status, StatusCode::FORBIDDEN);
    let fresh = token(&fixture, &client, &[("scope", "scopes:read")]).await;
    assert_eq!(fixture.admin(&fresh, Method::GET, "/scopes", None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_bundle_of_the_admin_api_opens_what_it_includes() {
    let fixture = Fixture::new().await;
    let scope = json!({
        "name": "support.read", "api": format!("{BASE}/api/v1/admin"), "kind": "coarse", "title": {"en": "Support"},
        "description": {"en": "What support looks at"}, "includes": ["scopes:read", "features:read"],
    });
    fixture.made(Method::POST, "/scopes", &scope).await;
    let client = application(&fixture, "support", json!({"allowed_scopes": ["support.read"]})).await;
    let token = token(&fixture, &client, &[]).await;
    assert_eq!(claims(&token)["scope"], "support.read");
    for (path, status) in [("/scopes", 200), ("/features", 200), ("/keys", 403)] {
        let answer = fixture.admin(&token, Method::GET, path, None).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
    fixture.made(Method::PATCH, "/scopes/support.read", &json!({"includes": ["features:read"]})).await;
    assert_eq!(fixture.admin(&token, Method::GET, "/scopes", None).await.status, 403, "includes are those of now");
    assert_eq!(fixture.admin(&token, Method::GET, "/features", None).await.status, 200);
}

#[tokio::test]
async fn a_revoked_key_takes_its_tokens_with_it_at_every_door() {
    let fixture = Fixture::new().await;
    let old = fixture.root().await;
    assert_eq!(fixture.admin(&old, Method::GET, "/keys", None).await.status, StatusCode::OK);
    assert!(is_active(&fixture, &old).await);

    // Rotated, it verifies still. A change elsewhere in the registry leaves the keys alone, and what they verified.
    fixture.made(Method::POST, "/keys/rotate", &json!({"force": true})).await;
    let remembered = || fixture.server.app().verifier.verify_now(&old).expect("keys").expect("a good token");
    let verified = remembered();
    fixture.made(Method::POST, "/features", &json!({"key": "x", "title": {"en": "X"}})).await;
    assert!(Arc::ptr_eq(&verified, &remembered()), "not verified again");
    let new = fixture.root().await;
    assert_eq!(fixture.admin(&old, Method::GET, "/keys", None).await.status, StatusCode::OK);

    let keys = fixture.admin(&new, Method::GET, "/keys", None).await.json;
    let retiring = keys["items"].as_array().expect("keys").iter().find(|key| key["state"] == "retiring").expect("one");
    let revoke = format!("/keys/{}/revoke", retiring["id"].as_str().expect("an id"));
    let revoked = fixture.admin(&new, Method::POST, &revoke, None).await;
    assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.text);
    let refused = fixture.admin(&old, Method::GET, "/keys", None).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json["detail"], "the token was signed with a key that is not known here");
    assert!(!is_active(&fixture, &old).await);
    assert_eq!(fixture.admin(&new, Method::GET, "/keys", None).await.status, StatusCode::OK);
    assert!(is_active(&fixture, &new).await);
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_although_it_was_verified_before() {
    let fixture = Fixture::new().await;
    let client = application(&fixture, "ops", json!({"allowed_scopes": ["admin:read"]})).await;
    let (lost, kept) = (token(&fixture, &client, &[]).await, token(&fixture, &client, &[]).await);
    assert_eq!(fixture.admin(&lost, Method::GET, "/scopes", None).await.status, StatusCode::OK);
    let revoke = async || fixture.form("/connect/revoke", Some((&client.0, &client.1)), &[("token", &lost)]).await;
    assert_eq!(revoke().await.status, StatusCode::OK);
    let refused = fixture.admin(&lost, Method::GET, "/scopes", None).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json["detail"], "the token was revoked; get a new one");
    assert!(refused.header(header::WWW_AUTHENTICATE).contains(r#"error="invalid_token", scope="admin:read""#));
    assert!(!is_active(&fixture, &lost).await);
    assert_eq!(revoke().await.status, StatusCode::OK, "twice is once");
    assert_eq!(fixture.admin(&kept, Method::GET, "/scopes", None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_role_counts_from_its_change_on_and_until_it_ends() {
    let fixture = Fixture::new().await;
    let client = application(&fixture, "ops", json!({"allowed_scopes": ["admin:read", "admin:write"]})).await;
    let token = token(&fixture, &client, &[]).await;
    let numbered = std::cell::Cell::new(0);
    let write = async || -> Answer {
        numbered.set(numbered.get() + 1);
        let feature = json!({"key": format!("feature-{}", numbered.get()), "title": {"en": "X"}});
        fixture.admin(&token, Method::POST, "/features", Some(&feature)).await
    };
    // By its level it administers, and from now on the gate knows that it has no role.
    assert_eq!(write().await.status, StatusCode::CREATED);

    let auditor = json!({"application": "ops", "role": "auditor"});
    let role = fixture.made(Method::POST, "/administrators", &auditor).await;
    let refused = write().await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(refused.json["type"], format!("{BASE}/errors/api/forbidden"));
    assert_eq!(fixture.admin(&token, Method::GET, "/features", None).await.status, StatusCode::OK);

    let root = fixture.root().await;
    let gone = format!("/administrators/{}", role["id"].as_str().expect("an id"));
    assert_eq!(fixture.admin(&root, Method::DELETE, &gone, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(write().await.status, StatusCode::CREATED);

    // A role that ends by the clock is no change of the registry.
    let ending = json!({"application": "ops", "role": "auditor", "expires_at": "2027-01-15T08:01:00Z"});
    fixture.made(Method::POST, "/administrators", &ending).await;
    fixture.clock.advance_secs(59);
    assert_eq!(fixture.admin(&token, Method::GET, "/features", None).await.status, StatusCode::OK);
    fixture.clock.advance_secs(1);
    let refused = fixture.admin(&token, Method::GET, "/features", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json["detail"], "the roles of application 'ops' have ended, or do not reach here");
}

#[tokio::test]
async fn the_gate_asks_the_database_nothing_about_a_caller_it_knows() {
    let fixture = Fixture::new().await;
    let client = application(&fixture, "ops", json!({"allowed_scopes": ["admin:read", "admin:write"]})).await;
    let stranger = application(&fixture, "stranger", json!({"allowed_scopes": ["admin:read", "admin:write"]})).await;
    let known = token(&fixture, &client, &[]).await;
    assert_eq!(fixture.admin(&known, Method::GET, "/features", None).await.status, StatusCode::OK);
    // Minted by a client that was in memory then, and is no longer.
    let unknown = token(&fixture, &stranger, &[]).await;
    fixture.made(Method::PATCH, "/applications/stranger", &json!({"name": "Stranger"})).await;
    fixture.sql.close().await;

    // The body is read behind the gate: a fault in it is one of a caller who was let in.
    let broken = |token: &str| {
        let request = Request::post("/api/v1/admin/features")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        request.body(Body::from("{")).expect("a request")
    };
    let answer = fixture.send(broken(&known)).await;
    assert_eq!(answer.json["type"], format!("{BASE}/errors/api/malformed-json"), "{}", answer.text);
    // Who is not known cannot be told, and that is nobody's fault but ours.
    let answer = fixture.send(broken(&unknown)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    assert_eq!(answer.json["type"], format!("{BASE}/errors/api/temporarily-unavailable"));
    assert_eq!(answer.header(header::WWW_AUTHENTICATE), "");
    // A refusal needs no database, its explanation does: it goes out without one.
    let reading = forged(&fixture, &known, |claims| claims["scope"] = json!("admin:read"));
    let refused = fixture.send(broken(&reading)).await;
    assert_eq!(refused.json["detail"], "Platform token requires admin:write scope", "{}", refused.text);
    assert_eq!(refused.json.get("why"), None);
}

#[tokio::test]
async fn those_behind_a_token_come_in_as_they_stand_now() {
    let fixture = Fixture::new().await;
    let tenant = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
    let id = tenant["id"].as_str().expect("an id").to_owned();
    let client = application(&fixture, "ops", json!({"allowed_scopes": ["admin:read"]})).await;
    let token = token(&fixture, &client, &[("tenant", "acme")]).await;
    let read = async || fixture.admin(&token, Method::GET, "/tenants", None).await;
    let now = async |status: &str| {
        fixture.made(Method::POST, &format!("/tenants/{id}/status"), &json!({"status": status})).await
    };
    assert_eq!(read().await.header(header::WARNING), "");
    now("active").await;
    now("grace_period").await;
    let warned = read().await;
    assert_eq!(warned.status, StatusCode::OK);
    assert_eq!(warned.header(header::WARNING), "299 - \"tenant 'acme' is in its grace period\"");
    now("suspended").await;
    let refused = read().await;
    assert_eq!(
        (refused.status, &refused.json["detail"]),
        (StatusCode::PAYMENT_REQUIRED, &json!("tenant 'acme' is suspended"))
    );
    assert_eq!(refused.header(header::WWW_AUTHENTICATE), "", "another token would do no better");
    now("active").await;
    assert_eq!(read().await.status, StatusCode::OK);

    // A slug can name another tenant one day; the token is for the one whose identifier it has.
    let other = forged(&fixture, &token, |claims| claims["tenant_id"] = json!("tnt_00000000000000000000000000"));
    let refused = fixture.admin(&other, Method::GET, "/tenants", None).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json["detail"], "the client, tenant, unit or person of the token is gone");

    let client = application(&fixture, "short-lived", json!({"allowed_scopes": ["admin:read"]})).await;
    let orphan = self::token(&fixture, &client, &[]).await;
    assert_eq!(fixture.admin(&orphan, Method::GET, "/tenants", None).await.status, StatusCode::OK);
    fixture.made(Method::PATCH, "/applications/short-lived", &json!({"status": "disabled"})).await;
    let refused = fixture.admin(&orphan, Method::GET, "/tenants", None).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json["detail"], "the client that the token was issued to is disabled or gone");
}

#[tokio::test]
async fn a_token_from_before_a_restore_is_good_nowhere() {
    let fixture = Fixture::new().await;
    let before = fixture.root().await;
    fixture.clock.advance_secs(10);
    let backup = tempfile::tempdir().expect("a folder");
    let file = backup.path().join("backup");
    fixture.sql.backup_file(&file, fixture.clock.now()).await.expect("a backup");
    fixture.clock.advance_secs(10);
    // Whether either was revoked after the backup is forgotten with the database.
    let between = fixture.root().await;
    fixture.clock.advance_secs(10);

    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlStore::open(&StoreConfig::data_dir(folder.path())).await.expect("a database");
    store.restore_file(&file, fixture.clock.now()).await.expect("restored");
    let restored = Fixture::over(store, folder, fixture.clock.clone(), "", Log::off()).await;
    let after = restored.root().await;
    for (token, is_good) in [(&before, false), (&between, false), (&after, true)] {
        let answer = restored.admin(token, Method::GET, "/scopes", None).await;
        assert_eq!(answer.status == StatusCode::OK, is_good, "{}", answer.text);
        assert_eq!(is_active(&restored, token).await, is_good);
    }
    let refused = restored.admin(&between, Method::GET, "/scopes", None).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.json["detail"].as_str().expect("a detail").contains("restored from a backup"), "{}", refused.text);
}

/// What is written.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_says_who_was_turned_away_and_why() {
    let (paper, clock, folder) = (Paper::default(), TestClock::starting(), tempfile::tempdir().expect("a folder"));
    let log = Log::start(LevelFilter::INFO, LogFormat::Json, clock.clone(), paper.clone()).expect("a log");
    let store = SqlStore::open(&StoreConfig::data_dir(folder.path())).await.expect("a database");
    store.migrate().await.expect("a schema");
    let fixture = Fixture::over(store, folder, clock, "", log.clone()).await;
    let client = application(&fixture, "ops", json!({"allowed_scopes": ["scopes:read"]})).await;
    let good = token(&fixture, &client, &[]).await;
    let lost = token(&fixture, &client, &[]).await;
    fixture.form("/connect/revoke", Some((&client.0, &client.1)), &[("token", &lost)]).await;

    for (token, path, line) in [
        (good.as_str(), "/scopes", json!({"actor": "client:ops", "outcome": "answered", "reason": null})),
        (&good, "/keys", json!({"actor": "client:ops", "outcome": "refused", "reason": "insufficient_scope"})),
        (&lost, "/scopes", json!({"actor": "client:ops", "outcome": "refused", "reason": "token_invalid"})),
        // Nobody is named by what was not verified.
        ("garbage", "/scopes", json!({"actor": null, "outcome": "refused", "reason": "token_invalid"})),
    ] {
        fixture.admin(token, Method::GET, path, None).await;
        log.flush();
        let text = String::from_utf8(paper.0.lock().expect("a lock").clone()).expect("UTF-8");
        let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        for (name, value) in line.as_object().expect("members") {
            assert_eq!(last.get(name).unwrap_or(&Value::Null), value, "{name} of {last}");
        }
    }
}
