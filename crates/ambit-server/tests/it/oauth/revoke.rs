//! `POST {issuer}/connect/revoke`: one's own tokens, durably, and nobody else's.
use axum::http::{Method, StatusCode, header};

use super::doors::{ACME, PATIENT, PLATFORM, World, doors};
use crate::store::{Faulty, WRITES};
use crate::support::{ROOT, ROOT_SECRET};

#[tokio::test]
async fn one_clients_word_takes_nothing_from_another() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let token = fixture.root().await;
    for door in doors().iter().filter(|door| door.path.ends_with("revoke")) {
        let (id, secret) = &world.clients(door.issuer).secret;
        let foreign = fixture.form(door.path, Some((id, secret)), &[("token", &token)]).await;
        assert_eq!((foreign.status, foreign.text.as_str()), (StatusCode::OK, ""), "{}", door.path);
        let invented = fixture.form(door.path, Some((id, secret)), &[("token", "garbage")]).await;
        assert_eq!((invented.status, invented.text.as_str()), (StatusCode::OK, ""), "the same answer");
        assert_eq!(fixture.admin(&token, Method::GET, "/scopes", None).await.status, StatusCode::OK);
    }
    assert!(fixture.store.revocations_after(0, 10).await.expect("an answer").is_empty());
}

#[tokio::test]
async fn a_token_taken_back_is_dead_at_every_door_and_stays_dead() {
    let world = World::new().await;
    let fixture = &world.fixture;
    for (issuer, path) in [(PLATFORM, "/connect/token"), (ACME, "/tenants/acme/connect/token")] {
        let (id, secret) = &world.clients(issuer).secret;
        for door in doors().iter().filter(|door| door.issuer == issuer && door.path.ends_with("revoke")) {
            let token = fixture.token(path, (id, secret), &[]).await.access_token();
            let other = fixture.token(path, (id, secret), &[]).await.access_token();
            assert_eq!(fixture.admin(&token, Method::GET, "/scopes", None).await.status, StatusCode::OK);
            let gone = fixture.form(door.path, Some((id, secret)), &[("token", &token)]).await;
            assert_eq!(gone.status, StatusCode::OK, "{}", gone.text);
            for introspect in doors().iter().filter(|door| door.issuer == issuer && door.path.ends_with("introspect")) {
                let told = fixture.form(introspect.path, Some((id, secret)), &[("token", &token)]).await;
                assert_eq!(told.text, r#"{"active":false}"#, "{}", introspect.path);
            }
            assert_eq!(fixture.admin(&token, Method::GET, "/scopes", None).await.status, StatusCode::UNAUTHORIZED);
            assert_eq!(fixture.admin(&other, Method::GET, "/scopes", None).await.status, StatusCode::OK);
            // Again, as a client does that did not hear the first answer.
            assert_eq!(fixture.form(door.path, Some((id, secret)), &[("token", &token)]).await.status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_made_durable_is_not_acknowledged() {
    let (fixture, store) = Faulty::fixture(PATIENT).await;
    let token = fixture.root().await;
    let root = Some((ROOT, ROOT_SECRET));
    let paths = ["/connect/revoke", "/api/v1/platform/oauth/revoke"];
    store.fail(&WRITES);
    for path in paths {
        let refused = fixture.form(path, root, &[("token", &token)]).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", refused.text);
        assert_eq!(refused.json["error"], "temporarily_unavailable");
        assert!(refused.header(header::RETRY_AFTER).parse::<u64>().expect("seconds") >= 1);
        assert!(!refused.text.contains("disk"), "{}", refused.text);
        // Not half of it either: what was not acknowledged did not happen here.
        assert_eq!(fixture.admin(&token, Method::GET, "/scopes", None).await.status, StatusCode::OK);
    }
    store.fail(&[]);
    assert_eq!(fixture.form(paths[0], root, &[("token", &token)]).await.status, StatusCode::OK);
    assert_eq!(fixture.admin(&token, Method::GET, "/scopes", None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_assertion_that_cannot_be_noted_lets_nobody_in() {
    use serde_json::json;

    use super::doors::claims;
    use crate::forge::{Forger, assertion_fields};
    use crate::support::BASE;

    let (fixture, store) = Faulty::fixture(PATIENT).await;
    let forger = Forger::new("k1");
    let body = json!({"name": "Signer", "client_id": "signer", "type": "service", "level": "platform",
        "allowed_scopes": ["scopes:read"], "token_endpoint_auth_method": "private_key_jwt", "jwks": forger.jwks()});
    fixture.made(Method::POST, "/applications", &body).await;
    let fields = assertion_fields(&forger.sign(&claims("signer", BASE, "once")));
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.push(("grant_type", "client_credentials"));
    store.fail(&WRITES);
    let refused = fixture.form("/connect/token", None, &fields).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    store.fail(&[]);
    assert_eq!(fixture.form("/connect/token", None, &fields).await.status, StatusCode::OK);
    assert_eq!(fixture.form("/connect/token", None, &fields).await.status, StatusCode::UNAUTHORIZED);
}
