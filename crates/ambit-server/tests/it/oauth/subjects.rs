//! Under which name an application knows a person, and what its ID tokens are signed with.

use ambit_protocol::id::{Id as _, UserId};
use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::lending::{CALLBACK, Lending};
use crate::support::claims;

/// Changes the application that asks.
async fn patch(lending: &Lending, body: &Value) {
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, body).await;
}

/// Every name of the person that the application is told: in the ID token, in the access token, at userinfo.
async fn names(lending: &Lending) -> [String; 3] {
    let answer = lending.redeem(&lending.code(&[]).await).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let told = lending.fixture.userinfo("/tenants/acme/connect/userinfo", &answer.access_token()).await;
    let id_token = claims(answer.json["id_token"].as_str().expect("an ID token"));
    [&id_token["sub"], &claims(&answer.access_token())["sub"], &told.json["sub"]]
        .map(|name| name.as_str().unwrap_or_else(|| panic!("no name: {}", told.text)).to_owned())
}

#[tokio::test]
async fn a_pairwise_name_is_one_for_a_sector_and_tells_nothing_of_the_user() {
    let lending = Lending::new().await;
    let id = lending.user["id"].as_str().expect("an id").to_owned();
    assert_eq!(names(&lending).await, [(); 3].map(|()| id.clone()));

    patch(&lending, &json!({"subject_type": "pairwise"})).await;
    let [name, others @ ..] = names(&lending).await;
    assert!(others.iter().all(|other| *other == name) && name.starts_with("ppid_"), "{name} {others:?}");
    assert_eq!(names(&lending).await[0], name, "the same each time");

    // Whoever is of the same sector knows them by the same name, whatever its address; whoever is not does not.
    patch(&lending, &json!({"sector_identifier": "shop.example"})).await;
    assert_eq!(names(&lending).await[0], name);
    patch(&lending, &json!({"sector_identifier": "other.example"})).await;
    let other = names(&lending).await[0].clone();
    assert!(other != name && other.starts_with("ppid_"), "{other}");
}

#[tokio::test]
async fn a_pairwise_name_leads_back_to_the_person_at_every_door() {
    let lending = Lending::new().await;
    patch(&lending, &json!({"subject_type": "pairwise"})).await;
    let answer = lending.redeem(&lending.code(&[]).await).await;
    let id_token = answer.json["id_token"].as_str().expect("an ID token");
    assert!(lending.is_active(&answer.access_token()).await);
    // As a hint it means the person who is signed in; another's means somebody else, who has to sign in first.
    let again = lending.authorize(&[("id_token_hint", id_token), ("prompt", "none")]).await;
    assert!(super::lending::Back::of(&again).get("code").is_some(), "{again:?}");
    let path = format!("/users/{}", lending.user["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, &json!({"status": "disabled"})).await;
    assert!(!lending.is_active(&answer.access_token()).await);
    let told = lending.fixture.userinfo("/tenants/acme/connect/userinfo", &answer.access_token()).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_sector_is_registered_where_redirect_uris_do_not_tell_it() {
    let lending = Lending::unasked().await;
    let register = async |own: Value| {
        let mut body = json!({
            "name": "Other", "type": "web", "level": "tenant", "tenant_id": lending.tenant_id,
            "redirect_uris": [CALLBACK, "https://shop.example/other"], "subject_type": "pairwise",
        });
        body.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
        let root = lending.fixture.root().await;
        lending.fixture.admin(&root, Method::POST, "/applications", Some(&body)).await
    };
    assert_eq!(register(json!({})).await.status, StatusCode::CREATED);
    let hosts = json!([CALLBACK, "https://shop.test/cb"]);
    let native = json!(["com.example.shop:/cb"]);
    for (own, pointer) in [
        (json!({"redirect_uris": hosts}), "/sector_identifier"),
        (json!({"redirect_uris": []}), "/sector_identifier"),
        (json!({"redirect_uris": native, "type": "native"}), "/sector_identifier"),
        (json!({"subject_type": "public", "sector_identifier": "shop.example"}), "/sector_identifier"),
        (json!({"sector_identifier": "https://shop.example"}), "/sector_identifier"),
        (json!({"subject_type": "private"}), "/subject_type"),
        (json!({"client_id": "ppid_AAAAAAAAAAAAAAAAAAAAAA"}), "/client_id"),
        (json!({"client_id": lending.user["id"]}), "/client_id"),
    ] {
        let refused = register(own.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{own}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{own}: {}", refused.text);
    }
    for own in [
        json!({"redirect_uris": hosts, "sector_identifier": "shops.example"}),
        json!({"redirect_uris": native, "type": "native", "sector_identifier": "shops.example"}),
    ] {
        let taken = register(own.clone()).await;
        assert_eq!(taken.status, StatusCode::CREATED, "{own}: {}", taken.text);
    }
}

/// Whatever reads as a pairwise name and was not given by us is nobody's, and no fault of the server.
#[tokio::test]
async fn a_name_that_was_never_given_is_nobodys() {
    let lending = Lending::unasked().await;
    let app = lending.fixture.server.app();
    let mut application = app.registry.client("shop").await.expect("an answer").expect("a client").application.clone();
    application.subject_type = ambit_protocol::admin::application::SubjectType::Pairwise;
    let user = lending.user_id();
    let name = app.subjects.name(&application, user).expect("a name");
    assert_eq!(app.subjects.user(&application, &name), Some(user));
    for other in ["", "ppid_", "ppid_AAAA", &user.to_string(), &name[..26], &format!("{name}A")] {
        assert_eq!(app.subjects.user(&application, other), None, "{other}");
    }
    let forged = app.subjects.user(&application, "ppid_AAAAAAAAAAAAAAAAAAAAAA").expect("some identifier");
    assert!(forged != user && forged != UserId::from_uuid(uuid::Uuid::nil()));
}

#[tokio::test]
async fn id_tokens_are_signed_as_the_application_asks_and_with_rs256_where_it_does_not() {
    let lending = Lending::new().await;
    let algorithm = async || {
        let answer = lending.redeem(&lending.code(&[]).await).await;
        let id_token = answer.json["id_token"].as_str().unwrap_or_else(|| panic!("no ID token: {}", answer.text));
        let header = BASE64_URL_SAFE_NO_PAD.decode(id_token.split('.').next().expect("a header")).expect("base64url");
        serde_json::from_slice::<Value>(&header).expect("JSON")["alg"].clone()
    };
    assert_eq!(algorithm().await, "RS256");
    for named in ["ES256", "EdDSA", "PS256"] {
        patch(&lending, &json!({"id_token_signed_response_alg": named})).await;
        assert_eq!(algorithm().await, named);
    }
    patch(&lending, &json!({"id_token_signed_response_alg": null})).await;
    assert_eq!(algorithm().await, "RS256");
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    let root = lending.fixture.root().await;
    let body = json!({"id_token_signed_response_alg": "none"});
    let refused = lending.fixture.admin(&root, Method::PATCH, &path, Some(&body)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
}
