//! A user's credentials, as administrators see and change them.

use axum::http::{Method, header};
use serde_json::json;

use crate::people::{Browser, PASSWORD};
use crate::support::Fixture;

const NEW: &str = "another long password";

#[tokio::test]
async fn a_password_is_set_by_itself_or_by_its_hash_and_shown_nowhere() {
    let fixture = Fixture::new().await;
    let tenant = fixture.tenant("shop", json!({"password_min_length": 16})).await;
    let ada = fixture.person(Some(&tenant), "ada@shop.example").await;
    let root = fixture.root().await;
    let path = format!("/users/{}/password", ada.id);
    let put = async |body: serde_json::Value| fixture.admin(&root, Method::PUT, &path, Some(&body)).await;
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"password": NEW, "hash": "$2b$"}), ""),
        (json!({"password": "fifteen letters"}), "/password"),
        (json!({"password": "ADA@shop.example"}), "/password"),
        (json!({"password": ""}), "/password"),
        (json!({"hash": "5f4dcc3b5aa765d61d8327deb882cf99"}), "/hash"),
        (json!({"hash": "$argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"}), "/hash"),
    ] {
        let answer = put(body.clone()).await;
        assert_eq!((answer.status.as_u16(), &answer.json["errors"][0]["pointer"]), (422, &json!(pointer)), "{body}");
        assert!(!answer.text.contains("5f4dcc3b"), "{}", answer.text);
    }
    assert_eq!(put(json!({"password": NEW})).await.status, 204);
    let listed = fixture.admin(&root, Method::GET, &format!("/users/{}/credentials", ada.id), None).await;
    assert_eq!(listed.json["items"][0]["kind"], "password");
    let audit = fixture.admin(&root, Method::GET, "/audit?resource=credential", None).await;
    assert_eq!(audit.status, 200, "{}", audit.text);
    for text in [&listed.text, &audit.text] {
        assert!(!text.contains(NEW) && !text.contains("argon2") && !text.contains("$2"), "{text}");
    }
}

#[tokio::test]
async fn who_gets_another_password_or_loses_something_is_signed_out_everywhere() {
    let fixture = Fixture::new().await;
    let tenant = fixture.tenant("shop", json!({"email_domains": ["shop.example"]})).await;
    let ada = fixture.person(Some(&tenant), "ada@shop.example").await;
    let root = fixture.root().await;
    let browser = Browser::new(&fixture);
    let signs_in = async |password: &str| {
        let at = browser.begin("/account/").await;
        browser.step(&at, "organisation", &[("organisation", "shop")]).await;
        browser.password(&at, "ada@shop.example", password).await.header(header::LOCATION) == "/account/"
    };
    assert!(signs_in(PASSWORD).await);
    let path = format!("/users/{}/password", ada.id);
    let answer = fixture.admin(&root, Method::PUT, &path, Some(&json!({"password": NEW}))).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(browser.get("/account/").await.status, 303);
    assert!(!signs_in(PASSWORD).await);
    assert!(signs_in(NEW).await);

    fixture.app_of(&ada).await;
    let path = format!("/users/{}/credentials", ada.id);
    let listed = fixture.admin(&root, Method::GET, &path, None).await;
    let app = listed.json["items"].as_array().expect("a list").iter().find(|it| it["kind"] == "totp").expect("an app");
    let one = format!("{path}/{}", app["id"].as_str().expect("an id"));
    assert_eq!(fixture.admin(&root, Method::DELETE, &one, None).await.status, 204);
    assert_eq!(browser.get("/account/").await.status, 303);
    assert_eq!(fixture.admin(&root, Method::DELETE, &one, None).await.status, 404);
    // What is somebody else's is not hers.
    let bob = fixture.person(Some(&tenant), "bob@shop.example").await;
    let bobs = fixture.admin(&root, Method::GET, &format!("/users/{}/credentials", bob.id), None).await;
    let stranger = format!("{path}/{}", bobs.json["items"][0]["id"].as_str().expect("an id"));
    assert_eq!(fixture.admin(&root, Method::DELETE, &stranger, None).await.status, 404);
}

#[tokio::test]
async fn nothing_from_which_a_password_could_be_guessed_is_kept_for_a_repeated_request() {
    let fixture = Fixture::new().await;
    let ada = fixture.person(None, "ada@as.example").await;
    let root = fixture.root().await;
    let body = json!({"password": NEW}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k1")];
    let path = format!("/users/{}/password", ada.id);
    for _ in 0..2 {
        let answer = fixture.admin_with(&root, Method::PUT, &path, &headers, body.clone()).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    let kept = fixture.store.find_answer("client:root", "k1").await.expect("the store");
    assert!(kept.is_none(), "a hash of the request would be one of the password");
}
