//! Signing keys from outside: what the key set shows at each moment, and which tokens are good.

use ambit_server::jobs::{JOBS, attempt};
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{BASE, Fixture, ROOT, ROOT_SECRET, START};

const DAY: i64 = 86_400;

/// One turn of the schedule.
async fn turn(fixture: &Fixture) {
    let job = JOBS.iter().find(|job| job.name == "keys").expect("a job");
    attempt(fixture.server.app(), job).await.expect("keys that are looked after");
}

/// The identifiers in the key set.
async fn published(fixture: &Fixture) -> Vec<String> {
    let set = fixture.get("/connect/jwks").await;
    assert_eq!(set.status, StatusCode::OK);
    let keys = set.json["keys"].as_array().expect("keys").clone();
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

/// The keys in a state, as the admin API shows them.
async fn in_state(fixture: &Fixture, state: &str) -> Vec<Value> {
    let keys = fixture.admin(&fixture.root().await, Method::GET, "/keys?limit=200", None).await;
    let items = keys.json["items"].as_array().expect("a list").clone();
    items.into_iter().filter(|key| key["state"] == state).collect()
}

async fn only(fixture: &Fixture, state: &str) -> String {
    let keys = in_state(fixture, state).await;
    assert_eq!(keys.len(), 1, "{state}: {keys:?}");
    keys[0]["id"].as_str().expect("an id").to_owned()
}

fn header_of(token: &str) -> Value {
    let header = token.split('.').next().expect("a header");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON")
}

async fn is_active(fixture: &Fixture, token: &str) -> bool {
    let answer = fixture.form("/connect/introspect", Some((ROOT, ROOT_SECRET)), &[("token", token)]).await;
    answer.json["active"].as_bool().unwrap_or_else(|| panic!("{}", answer.text))
}

async fn rotate(fixture: &Fixture, body: &Value) -> crate::support::Answer {
    fixture.admin(&fixture.root().await, Method::POST, "/keys/rotate", Some(body)).await
}

#[tokio::test]
async fn a_first_start_publishes_the_key_that_signs_and_the_one_that_will() {
    let fixture = Fixture::new().await;
    let (active, next) = (only(&fixture, "active").await, only(&fixture, "next").await);
    assert_eq!(published(&fixture).await.len(), 2);
    for kid in [&active, &next] {
        assert!(published(&fixture).await.contains(kid));
    }
    assert_eq!(header_of(&fixture.root().await)["kid"], active.as_str());

    // The set may be kept for as long as the next key waits, and no longer than five minutes.
    let set = fixture.get("/.well-known/jwks.json").await;
    assert_eq!(set.header(header::CACHE_CONTROL), "public, max-age=300");
    assert_eq!(set.header(header::CONTENT_TYPE), "application/jwk-set+json");
    assert!(!set.text.contains("\"d\""), "no private half");
    let again = Request::get("/.well-known/jwks.json").header(header::IF_NONE_MATCH, set.header(header::ETAG));
    let again = fixture.send(again.body(axum::body::Body::empty()).expect("a request")).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let hasty = Fixture::with("[keys]\npublish_ahead = '1 min'").await;
    assert_eq!(hasty.get("/connect/jwks").await.header(header::CACHE_CONTROL), "public, max-age=60");
}

#[tokio::test]
async fn the_schedule_replaces_a_key_at_its_age_and_the_old_one_verifies_until_its_time_is_over() {
    let fixture = Fixture::with("[keys]\nrotate = '30 days'\noverlap = '2 days'").await;
    let (first, second) = (only(&fixture, "active").await, only(&fixture, "next").await);
    fixture.clock.advance_secs(30 * DAY - 1);
    turn(&fixture).await;
    assert_eq!(only(&fixture, "active").await, first);
    let old = fixture.root().await;
    assert_eq!(header_of(&old)["kid"], first.as_str());

    fixture.clock.advance_secs(1);
    let tag = fixture.get("/connect/jwks").await.header(header::ETAG).to_owned();
    turn(&fixture).await;
    assert_eq!(only(&fixture, "active").await, second, "the one that was published all the while");
    let third = only(&fixture, "next").await;
    let mut all = published(&fixture).await;
    all.sort();
    let mut expected = vec![first.clone(), second.clone(), third.clone()];
    expected.sort();
    assert_eq!(all, expected);
    assert_ne!(fixture.get("/connect/jwks").await.header(header::ETAG), tag);
    assert_eq!(header_of(&fixture.root().await)["kid"], second.as_str());
    assert!(is_active(&fixture, &old).await, "the retiring key verifies");
    turn(&fixture).await;
    assert_eq!(published(&fixture).await.len(), 3, "once is enough");

    let end = START + 32 * DAY;
    assert_eq!(in_state(&fixture, "retiring").await[0]["remove_at"], "2027-02-16T08:00:00Z");
    fixture.clock.advance_secs(2 * DAY - 1);
    turn(&fixture).await;
    assert!(published(&fixture).await.contains(&first), "a second before {end}");
    fixture.clock.advance_secs(1);
    turn(&fixture).await;
    assert!(!published(&fixture).await.contains(&first));
    assert!(!is_active(&fixture, &old).await);
}

#[tokio::test]
async fn the_schedule_waits_for_a_next_key_that_is_young() {
    let fixture = Fixture::with("[keys]\nrotate = '30 days'").await;
    let (active, next) = (only(&fixture, "active").await, only(&fixture, "next").await);
    // The next key leaks an hour before its time, and the one that takes its place is known to nobody.
    fixture.clock.advance_secs(30 * DAY - 3600);
    fixture.made(Method::POST, &format!("/keys/{next}/revoke"), &json!({})).await;
    let young = only(&fixture, "next").await;
    assert!(young != next && published(&fixture).await.len() == 2);
    fixture.clock.advance_secs(DAY - 1);
    turn(&fixture).await;
    assert_eq!(only(&fixture, "active").await, active, "older than it should become, and known everywhere");
    fixture.clock.advance_secs(1);
    turn(&fixture).await;
    assert_eq!(only(&fixture, "active").await, young);
}

#[tokio::test]
async fn no_more_keys_are_published_than_a_set_may_have() {
    let fixture = Fixture::new().await;
    for _ in 0..62 {
        assert_eq!(rotate(&fixture, &json!({"force": true})).await.status, StatusCode::OK);
    }
    assert_eq!(published(&fixture).await.len(), 64);
    let one_more = rotate(&fixture, &json!({"force": true})).await;
    assert_eq!(one_more.status, StatusCode::CONFLICT, "{}", one_more.text);
    assert_eq!(one_more.json["max"], 64);
    // A leak can be mended all the same.
    let leaked = only(&fixture, "active").await;
    fixture.made(Method::POST, &format!("/keys/{leaked}/revoke"), &json!({})).await;
    assert_eq!(published(&fixture).await.len(), 64);
    fixture.root().await;
}

#[tokio::test]
async fn a_command_does_not_sign_with_a_key_that_caches_cannot_know_unless_it_is_told_to() {
    let fixture = Fixture::new().await;
    let (first, second) = (only(&fixture, "active").await, only(&fixture, "next").await);
    fixture.clock.advance_secs(DAY - 1);
    let young = rotate(&fixture, &json!({})).await;
    assert_eq!(young.status, StatusCode::CONFLICT, "{}", young.text);
    assert_eq!(young.json["type"], format!("{BASE}/errors/api/next-key-young"));
    assert_eq!(young.json["published_at"], "2027-01-15T08:00:00Z");
    assert_eq!(young.json["signs_from"], "2027-01-16T08:00:00Z");
    assert!(young.json["detail"].as_str().expect("a detail").contains(&second));
    assert_eq!(only(&fixture, "active").await, first);
    let page = young.json["type"].as_str().expect("a type").strip_prefix(BASE).expect("ours");
    assert!(fixture.get(page).await.text.contains("publish_ahead"));

    fixture.clock.advance_secs(1);
    assert_eq!(rotate(&fixture, &json!({})).await.status, StatusCode::OK);
    assert_eq!(only(&fixture, "active").await, second);
    // The rule of the schedule: keys.overlap, seven days.
    assert_eq!(in_state(&fixture, "retiring").await[0]["remove_at"], "2027-01-23T08:00:00Z");

    // The one after it is young again.
    let third = only(&fixture, "next").await;
    assert_eq!(rotate(&fixture, &json!({})).await.status, StatusCode::CONFLICT);
    assert_eq!(rotate(&fixture, &json!({"force": true})).await.status, StatusCode::OK);
    assert_eq!(only(&fixture, "active").await, third);
    assert_eq!(published(&fixture).await.len(), 4);
}

#[tokio::test]
async fn a_key_that_leaked_is_refused_at_once_on_every_node() {
    let here = Fixture::new().await;
    let there = here.another_node().await;
    let (leaked, next) = (only(&here, "active").await, only(&here, "next").await);
    let token = here.root().await;
    // Both have verified it and remember that.
    assert!(is_active(&here, &token).await && is_active(&there, &token).await);

    let revoked = here.admin(&token, Method::POST, &format!("/keys/{leaked}/revoke"), Some(&json!({}))).await;
    assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.text);
    assert!(!is_active(&here, &token).await);
    assert_eq!(here.admin(&token, Method::GET, "/keys", None).await.status, StatusCode::UNAUTHORIZED);
    assert!(!published(&here).await.contains(&leaked));

    there.server.app().registry.catch_up().await.expect("a store that answers");
    assert!(!is_active(&there, &token).await);
    assert!(!published(&there).await.contains(&leaked));
    // The next one was published with it, and signs without waiting for its day.
    for node in [&here, &there] {
        assert_eq!(header_of(&node.root().await)["kid"], next.as_str());
        assert_eq!(published(node).await.len(), 2);
    }
    let twice = here.admin(&here.root().await, Method::POST, &format!("/keys/{leaked}/revoke"), Some(&json!({}))).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn two_nodes_that_look_after_the_keys_at_once_rotate_once() {
    let here = Fixture::new().await;
    let there = here.another_node().await;
    assert_eq!(published(&here).await.len(), 2, "a second start adds no key");
    here.clock.advance_secs(90 * DAY);
    tokio::join!(turn(&here), turn(&there), turn(&here), turn(&there));
    assert_eq!(published(&here).await.len(), 3);
    let active = only(&here, "active").await;
    assert_eq!(only(&there, "active").await, active);
}

#[tokio::test]
async fn an_api_that_signs_otherwise_has_its_keys_as_soon_as_it_is_registered() {
    let fixture = Fixture::new().await;
    let api = json!({"identifier": "https://pos.example", "name": "POS", "signing_algorithm": "EdDSA"});
    // Two at once make one pair of keys.
    let other = json!({"identifier": "https://web.example", "name": "Web", "signing_algorithm": "EdDSA"});
    let (made, _) =
        tokio::join!(fixture.made(Method::POST, "/apis", &api), fixture.made(Method::POST, "/apis", &other));
    let id = made["id"].as_str().expect("an id").to_owned();
    let scope = json!({"name": "pos.read", "api": id, "kind": "coarse", "title": "POS", "description": "Reads."});
    fixture.made(Method::POST, "/scopes", &scope).await;
    let till = json!({"name": "Till", "client_id": "till", "type": "service", "level": "platform",
                      "allowed_scopes": ["pos.read"]});
    let till = fixture.made(Method::POST, "/applications", &till).await;
    let secret = till["client_secret"].as_str().expect("a secret");
    let algorithm = async || {
        let token = fixture.token("/connect/token", ("till", secret), &[]).await.access_token();
        let header = header_of(&token);
        assert!(published(&fixture).await.contains(&header["kid"].as_str().expect("a kid").to_owned()));
        header["alg"].as_str().expect("an algorithm").to_owned()
    };
    assert_eq!(algorithm().await, "EdDSA");
    assert_eq!(published(&fixture).await.len(), 4);
    // A change of mind as well.
    fixture.made(Method::PATCH, &format!("/apis/{id}"), &json!({"signing_algorithm": "PS256"})).await;
    assert_eq!(algorithm().await, "PS256");
    assert_eq!(published(&fixture).await.len(), 6);
    fixture.made(Method::PATCH, &format!("/apis/{id}"), &json!({"signing_algorithm": null})).await;
    assert_eq!(algorithm().await, "ES256");
    // The schedule looks after all of them.
    fixture.clock.advance_secs(90 * DAY);
    turn(&fixture).await;
    assert_eq!(published(&fixture).await.len(), 9);
}
