//! `/account/`: a person sees what is theirs, and takes back what they gave.

use ambit_core::secret::SecretHash;
use axum::http::{Method, StatusCode, header};
use serde_json::json;

use super::shop::Shop;
use super::visitor::{SESSION, Visitor, form_token, user};
use crate::support::BASE;

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_sign_in() {
    let shop = Shop::new().await;
    let mut browser = Visitor::new(&shop.fixture);
    for path in ["/account/", "/account/sessions", "/account/applications"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.header(header::LOCATION).starts_with("/sign-in/"), "{path}");
    }
    for path in ["/account/sign-out", "/account/sessions/end-others"] {
        let answer = browser.post(path, &[]).await;
        assert!(answer.header(header::LOCATION).starts_with("/sign-in/"), "{path} {}", answer.status);
    }
    assert_eq!(browser.get("/account").await.header(header::LOCATION), "/account/");
}

#[tokio::test]
async fn the_first_page_says_who_one_is() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let page = browser.get("/account/").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for text in ["Ada", "ada@acme.example", "Acme", "2027-01-15 08:00 UTC", "password"] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    assert!(page.header(header::CONTENT_SECURITY_POLICY).contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn one_session_is_ended_and_the_others_go_on() {
    let shop = Shop::new().await;
    let (mut here, this) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut there, other) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut elsewhere, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let page = here.get("/account/sessions").await;
    assert_eq!(page.text.matches("This browser").count(), 1, "{}", page.text);
    assert_eq!(page.text.matches("Firefox on Linux").count(), 5, "{}", page.text);
    assert!(page.text.contains("192.0.2.7"));
    let token = form_token(&page);
    let answer = here.post(&format!("/account/sessions/{other}/end"), &[("form", &token)]).await;
    assert_eq!(answer.header(header::LOCATION), "/account/sessions", "{}", answer.text);
    assert_eq!(there.get("/account/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(elsewhere.get("/account/").await.status, StatusCode::OK);

    here.post("/account/sessions/end-others", &[("form", &token)]).await;
    assert_eq!(elsewhere.get("/account/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(here.get("/account/").await.status, StatusCode::OK);

    let answer = here.post(&format!("/account/sessions/{this}/end"), &[("form", &token)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(!here.cookies.contains_key(SESSION));
}

#[tokio::test]
async fn somebody_elses_session_is_not_here() {
    let shop = Shop::new().await;
    let globex = shop.fixture.made(Method::POST, "/tenants", &json!({"name": "Globex", "slug": "globex"})).await;
    let bob = user(&shop.fixture, Some(&shop.tenant), "bob@acme.example", json!({})).await;
    let eve = user(&shop.fixture, Some(&globex), "eve@globex.example", json!({})).await;
    let (mut ada, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let page = ada.get("/account/sessions").await;
    let token = form_token(&page);
    for somebody in [&bob, &eve] {
        let (mut theirs, session) = Visitor::of(&shop.fixture, somebody).await;
        assert!(!page.text.contains(&session.to_string()));
        let answer = ada.post(&format!("/account/sessions/{session}/end"), &[("form", &token)]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        ada.post("/account/sessions/end-others", &[("form", &token)]).await;
        assert_eq!(theirs.get("/account/").await.status, StatusCode::OK);
    }
    let nobodys = ada.post("/account/sessions/ses_00000000000000000000000000/end", &[("form", &token)]).await;
    assert_eq!(nobodys.status, StatusCode::NOT_FOUND);
    assert_eq!(ada.post("/account/sessions/x/end", &[("form", &token)]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_form_of_another_site_or_of_another_session_is_refused() {
    let shop = Shop::new().await;
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut other, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&browser.get("/account/sessions").await);
    let others = form_token(&other.get("/account/sessions").await);
    let paths = [
        "/account/sign-out".to_owned(),
        "/account/sessions/end-others".to_owned(),
        format!("/account/sessions/{session}/end"),
        format!("/account/applications/{}/withdraw", shop.application_id()),
    ];
    for path in &paths {
        for (headers, token) in [
            (("sec-fetch-site", "cross-site"), token.as_str()),
            (("origin", "https://evil.example"), token.as_str()),
            (("origin", BASE), others.as_str()),
            (("origin", BASE), ""),
        ] {
            let answer = browser.post_with(path, &[headers], &[("form", token)]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
        let plain = browser.send(Method::POST, path, &[("content-type", "text/plain")], &format!("form={token}")).await;
        assert_eq!(plain.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
    }
    assert_eq!(browser.get("/account/").await.status, StatusCode::OK);
    assert_eq!(other.get("/account/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_an_application_may_do_is_taken_back_with_all_that_came_of_it() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop shop:close offline_access", &[]).await;
    let back = asked.allow(&mut browser, &["shop", "shop:close", "offline_access"]).await;
    let tokens = shop.redeemed(&back).await;
    let refresh = tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
    let userinfo = async |token: &str| {
        let request = http::Request::get("/tenants/acme/connect/userinfo")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(axum::body::Body::empty());
        shop.fixture.send(request.expect("a request")).await.status
    };
    let access = tokens["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(userinfo(&access).await, StatusCode::OK);

    let page = browser.get("/account/applications").await;
    for text in ["Till", "Title of shop", "Title of shop:close", "Privileged", "In use since"] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    let path = format!("/account/applications/{}/withdraw", shop.application_id());
    let token = form_token(&page);
    let answer = browser.post(&path, &[("form", &token)]).await;
    assert_eq!(answer.header(header::LOCATION), "/account/applications", "{}", answer.text);

    assert_eq!(shop.consented().await, None);
    let fields = [("grant_type", "refresh_token"), ("client_id", "till"), ("refresh_token", refresh.as_str())];
    let renewed = shop.fixture.form("/tenants/acme/connect/token", None, &fields).await;
    assert_eq!((renewed.status, &renewed.json["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    assert_eq!(userinfo(&access).await, StatusCode::UNAUTHORIZED);
    assert!(browser.get("/account/applications").await.text.contains("No application may do anything for you."));
    assert_eq!(browser.post(&path, &[("form", &token)]).await.status, StatusCode::NOT_FOUND);
    shop.asks(&mut browser, "openid shop", &[]).await.page();
}

#[tokio::test]
async fn nobody_takes_back_what_another_gave() {
    let shop = Shop::new().await;
    let (mut ada, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    shop.asks(&mut ada, "openid shop", &[]).await.allow(&mut ada, &["shop"]).await;
    let bob = user(&shop.fixture, Some(&shop.tenant), "bob@acme.example", json!({})).await;
    let (mut his, _) = Visitor::of(&shop.fixture, &bob).await;
    let page = his.get("/account/applications").await;
    assert!(!page.text.contains("Till"));
    let token = form_token(&his.get("/account/").await);
    let path = format!("/account/applications/{}/withdraw", shop.application_id());
    assert_eq!(his.post(&path, &[("form", &token)]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.consented().await.as_deref(), Some("openid shop"));
}

#[tokio::test]
async fn whoever_signs_out_is_signed_out_on_every_node() {
    let shop = Shop::new().await;
    let other_node = shop.fixture.another_node().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let cookies = browser.cookies.clone();
    let token = form_token(&browser.get("/account/").await);
    let answer = browser.post("/account/sign-out", &[("form", &token)]).await;
    assert!(answer.text.contains("You are signed out"), "{}", answer.text);
    for fixture in [&shop.fixture, &other_node] {
        let mut again = Visitor::new(fixture);
        again.cookies.clone_from(&cookies);
        assert_eq!(again.get("/account/").await.status, StatusCode::SEE_OTHER);
    }
    let kept = shop.fixture.store.sign_ins().find_session(&SecretHash::of(&cookies[SESSION])).await.expect("an answer");
    assert_eq!(kept, None);
}
