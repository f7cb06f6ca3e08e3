//! Client libraries as their authors publish them, against the real server and over TLS: what an application that is written with
//! one of them sees, of what works and of what must not.
//!
//! The applications are in `tests/clients/`, and are what `docs/guides/connect-an-application.md` shows. Each is run as a
//! confidential and as a public client, at the platform's issuer and at a tenant's. The test plays the person.

mod guide;
mod openidconnect;
pub(crate) mod person;
mod script;
pub(crate) mod world;

use serde_json::{Value, json};

use script::Library;
use world::{Registered, SCOPE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_with_openid_client_signs_people_in_and_notices_what_is_wrong() {
    let Some(library) = Library::node("openid-client") else { return };
    let world = World::new().await;
    for registered in world.registered() {
        let seen = library.run(&world, registered).await;
        check(registered, &seen);
        assert_eq!(seen["pkce"], true);
        for (what, named) in NOTICED {
            assert_eq!(seen[what]["kind"], "ClientError", "{what}: {seen:#}");
            assert!(description(&seen, what).contains(named), "{what}: {seen:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_with_oauth4webapi_signs_people_in_and_an_api_takes_its_tokens() {
    let Some(library) = Library::node("oauth4webapi") else { return };
    let world = World::new().await;
    for registered in world.registered() {
        let seen = library.run(&world, registered).await;
        check(registered, &seen);
        assert_eq!(seen["pkce"], true);
        assert_eq!(seen["signed_userinfo"], true);
        let at_the_api = json!({"scope": SCOPE, "sub": seen["claims"]["sub"], "client_id": registered.client_id});
        assert_eq!(seen["at_the_api"], at_the_api, "{seen:#}");
        // RFC 9068 §4: an ID token is of another type.
        assert_eq!(seen["id_token_at_the_api"]["kind"], "OperationProcessingError", "{seen:#}");
        for (what, named) in NOTICED {
            assert_eq!(seen[what]["kind"], "OperationProcessingError", "{what}: {seen:#}");
            assert!(description(&seen, what).contains(named), "{what}: {seen:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_with_authlib_signs_people_in_and_notices_what_is_wrong() {
    let Some(library) = Library::python("authlib") else { return };
    let world = World::new().await;
    for registered in world.registered() {
        let seen = library.run(&world, registered).await;
        check(registered, &seen);
        assert_eq!(seen["pkce"], true);
        assert_eq!(seen["wrong_state"]["kind"], "MismatchingStateError", "{seen:#}");
        assert_eq!(seen["wrong_nonce"]["kind"], "InvalidClaimError", "{seen:#}");
        assert_eq!(seen["wrong_signature"]["kind"], "BadSignatureError", "{seen:#}");
        assert!(description(&seen, "wrong_issuer").contains("another server"), "{seen:#}");
    }
}

/// What is wrong with an answer, and what the libraries in JavaScript call it.
const NOTICED: [(&str, &str); 4] = [
    ("wrong_state", "\"state\" response parameter"),
    ("wrong_issuer", "\"iss\" (issuer) response parameter"),
    ("wrong_nonce", "\"nonce\" claim"),
    ("wrong_signature", "signature verification failed"),
];

fn description<'a>(seen: &'a Value, what: &str) -> &'a str {
    seen[what]["description"].as_str().unwrap_or_default()
}

/// What every application sees, whatever it is written with.
fn check(registered: &Registered, seen: &Value) {
    let context = || format!("{} at {}: {seen:#}", registered.client_id, registered.issuer);
    assert_eq!(seen["issuer"], registered.issuer, "{}", context());
    // Checked by the library.
    assert_eq!(seen["alg"], world::DEFAULT_ALGORITHM, "{}", context());
    assert_eq!(seen["claims"]["iss"], registered.issuer, "{}", context());
    assert_eq!(seen["claims"]["sub"], registered.person, "{}", context());
    assert_eq!(seen["scope"], SCOPE, "{}", context());
    assert!(seen["lifetime"].as_u64().is_some_and(|secs| (3000..=3600).contains(&secs)), "{}", context());
    assert_eq!(seen["userinfo"]["sub"], registered.person, "{}", context());
    assert_eq!(seen["userinfo"]["email"], world::EMAIL, "{}", context());
    assert_eq!(seen["userinfo"]["given_name"], "Ada", "{}", context());
    // As JSON: none of them asked for a JWT.
    assert_eq!(seen["userinfo"]["iss"], Value::Null, "{}", context());

    assert_eq!(seen["rotated"], true, "{}", context());
    assert_eq!(seen["renewed"], json!({"scope": SCOPE, "sub": registered.person}), "{}", context());
    assert_eq!(seen["same_person"], true, "{}", context());
    for (what, error) in [
        ("replayed", "invalid_grant"),
        ("after_replay", "invalid_grant"),
        ("code_reused", "invalid_grant"),
        ("after_code_reuse", "invalid_grant"),
        ("revoked", "invalid_grant"),
        ("denied", "access_denied"),
        ("beyond", "invalid_scope"),
        ("wrong_verifier", "invalid_grant"),
        ("wrong_door", "unauthorized_client"),
        ("after_logout", "login_required"),
    ] {
        assert_eq!(seen[what]["error"], error, "{what} of {}", context());
        // The library shows its user what the server says, and that is more than the code.
        let description = description(seen, what);
        assert!(description.contains(' ') && description != error, "{what}: {description} of {}", context());
    }
    assert_eq!(seen["userinfo_after_replay"]["status"], 401, "{}", context());
    let left_for = format!("{}?state=left", world::AFTER_LOGOUT);
    let left = seen["left_for"].as_str().unwrap_or_default();
    assert!(left == left_for || left.starts_with(&format!("{}?state=", world::AFTER_LOGOUT)), "{}", context());

    if registered.secret.is_some() {
        assert_eq!(seen["introspected"]["active"], true, "{}", context());
        assert_eq!(seen["introspected"]["scope"], SCOPE, "{}", context());
        assert_eq!(seen["introspected"]["client_id"], registered.client_id, "{}", context());
        assert_eq!(seen["introspected_after"], json!({"active": false}), "{}", context());
        assert_eq!(seen["wrong_secret"]["error"], "invalid_client", "{}", context());
    } else {
        // RFC 7662 §2.1: whoever cannot prove who it is learns nothing of tokens.
        assert_eq!(seen["introspected"]["error"], "invalid_client", "{}", context());
        // A public client is nobody by itself.
        assert_eq!(seen["not_its_grant"]["error"], "unauthorized_client", "{}", context());
    }
}
