//! `/account/`: a person sees what is theirs, and takes back what they gave.

use ambit_core::authentication::Method as Proof;
use ambit_core::password::{Password, Verdict, verify};
use ambit_core::second_factor::TotpSecret;
use ambit_core::secret::SecretHash;
use ambit_core::store::Store as _;
use ambit_core::store::sign_in::Sessions;
use ambit_protocol::admin::user::User;
use axum::http::{Method, StatusCode, header};
use serde_json::json;

use super::shop::Shop;
use super::visitor::{SESSION, Visitor, user};
use crate::people::{Browser, PASSWORD, form_token, shown_secret};
use crate::store::Faulty;
use crate::support::{Answer, BASE, Fixture};

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

/// attacks.md C10 237.
#[tokio::test]
async fn a_form_of_another_site_or_of_another_session_is_refused() {
    let shop = Shop::new().await;
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut other, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&browser.get("/account/sessions").await);
    let others = form_token(&other.get("/account/sessions").await);
    let paths = [
        "/account/sign-out".to_owned(),
        "/account/profile".to_owned(),
        "/account/security/proof".to_owned(),
        "/account/security/password".to_owned(),
        "/account/security/apps".to_owned(),
        "/account/security/apps/crd_01jd0000000000000000000000/remove".to_owned(),
        "/account/security/recovery-codes".to_owned(),
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
    // Nor is one that was left open in this browser, once somebody else is signed in here.
    browser.cookies.insert(SESSION.to_owned(), other.cookies[SESSION].clone());
    let left_open = browser.post("/account/profile", &[("form", &token), ("display_name", "Eve")]).await;
    assert_eq!(left_open.status, StatusCode::FORBIDDEN, "{}", left_open.text);
}

/// Between the look at a session and the note that it was used, it may have been ended.
#[tokio::test]
async fn a_session_that_is_ended_while_it_is_used_is_over() {
    let (fixture, store) = Faulty::fixture("").await;
    let tenant = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
    let ada = user(&fixture, Some(&tenant), "ada@acme.example", json!({})).await;
    let (mut browser, session) = Visitor::of(&fixture, &ada).await;
    fixture.clock.advance_secs(60);
    let now = fixture.server.app().clock.now();
    let answer = store.meanwhile("touch_session", browser.get("/account/"), async || {
        let one = Sessions::One(session);
        fixture.sql.sign_ins().end_sessions(one, now, now.plus_secs(3600)).await.expect("the store");
    });
    assert!(answer.await.header(header::LOCATION).starts_with("/sign-in/"));
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
    // As the page that asked called them.
    let offline = "Keep this access while you are away";
    assert!(asked.page().text.contains(offline), "{}", asked.page().text);
    for text in ["Till", "Title of shop", "Title of shop:close", "Privileged", "In use since", offline] {
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
    let back = shop.asks(&mut ada, "openid shop", &[]).await.allow(&mut ada, &["shop"]).await;
    let tokens = shop.redeemed(&back).await;
    let bob = user(&shop.fixture, Some(&shop.tenant), "bob@acme.example", json!({})).await;
    let (mut his, _) = Visitor::of(&shop.fixture, &bob).await;
    let page = his.get("/account/applications").await;
    assert!(!page.text.contains("Till"));
    let token = form_token(&his.get("/account/").await);
    let path = format!("/account/applications/{}/withdraw", shop.application_id());
    assert_eq!(his.post(&path, &[("form", &token)]).await.status, StatusCode::NOT_FOUND);
    // Nor does he with what he gave himself.
    shop.asks(&mut his, "openid shop", &[]).await.allow(&mut his, &["shop"]).await;
    assert_eq!(his.post(&path, &[("form", &token)]).await.header(header::LOCATION), "/account/applications");
    assert_eq!(shop.consented().await.as_deref(), Some("openid shop"));
    let renewed = shop.renew(&tokens).await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.text);
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

#[tokio::test]
async fn people_say_their_names_and_language_and_nothing_else_of_themselves() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&browser.get("/account/profile").await);
    let fields = [
        ("form", token.as_str()),
        ("display_name", "  Ada L.  "),
        ("given_name", "Ada"),
        ("family_name", ""),
        ("locale", "zh"),
        ("email", "root@acme.example"),
        ("email_verified", "false"),
        ("status", "disabled"),
        ("roles", "manager"),
        ("tenant_id", ""),
    ];
    let answer = browser.post("/account/profile", &fields).await;
    assert_eq!(answer.header(header::LOCATION), "/account/profile", "{}", answer.text);
    let person = shop.fixture.server.app().registry.person(shop.ada.id).await.expect("an answer").expect("Ada");
    let name = |name: &str| Some(name.parse().expect("a name"));
    let changed = User { display_name: name("Ada L."), locale: Some("zh".to_owned()), ..shop.ada.clone() };
    let User { updated_at, revision, .. } = person.user;
    assert_eq!(person.user, User { updated_at, revision, ..changed });
    let page = browser.get("/account/profile").await;
    assert!(page.text.contains("lang=\"zh\"") && page.text.contains("value=\"Ada L.\""), "{}", page.text);
    let audit = shop.fixture.admin(&shop.fixture.root().await, Method::GET, "/audit?limit=1", None).await;
    assert_eq!(audit.json["items"][0]["actor"], format!("user:{}", shop.ada.id));

    let long = "x".repeat(201);
    for (field, value) in [
        ("given_name", long.as_str()),
        ("display_name", "a\u{7}b"),
        ("locale", "../../etc"),
        ("locale", "en_US.UTF-8\0"),
    ] {
        let answer = browser.post("/account/profile", &[("form", token.as_str()), (field, value)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert_eq!(answer.text.matches("role=\"alert\"").count(), 1, "{field}: {}", answer.text);
    }
    assert!(browser.get("/account/profile").await.text.contains("value=\"Ada L.\""));
}

async fn is_password(fixture: &Fixture, user: &User, text: &str) -> bool {
    let kept = fixture.credentials_of(user).await.password.expect("a password");
    verify(&Password::new(text).expect("a password"), &kept).expect("a verdict") == Verdict::Right
}

/// Asked to prove who one is before anything is done.
fn is_led_to_a_proof(answer: &Answer) -> bool {
    answer.status == StatusCode::SEE_OTHER && answer.header(header::LOCATION).starts_with("/sign-in/")
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions() {
    const NEW: &str = "another horse, another battery";
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let (mut here, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut there, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&here.get("/account/security").await);
    let path = "/account/security/password";
    for (current, new, alert) in [
        ("wrong", NEW, "The current password is not right."),
        ("", NEW, "The current password is not right."),
        (PASSWORD, "short", "The least is 12"),
        (PASSWORD, "", "The least is 12"),
        (PASSWORD, "ADA@acme.example", "must not be the e-mail address"),
    ] {
        let answer = here.post(path, &[("form", &token), ("password", current), ("new_password", new)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{current} {new}");
        assert!(answer.text.contains(alert) && answer.text.contains("role=\"alert\""), "{}", answer.text);
        assert!(!answer.text.contains(NEW) && !answer.text.contains(PASSWORD));
    }
    assert!(is_password(&shop.fixture, &shop.ada, PASSWORD).await);
    assert_eq!(there.get("/account/").await.status, StatusCode::OK);

    let answer = here.post(path, &[("form", &token), ("password", PASSWORD), ("new_password", NEW)]).await;
    assert_eq!(answer.header(header::LOCATION), "/account/security", "{}", answer.text);
    assert!(is_password(&shop.fixture, &shop.ada, NEW).await);
    assert_eq!(here.get("/account/").await.status, StatusCode::OK);
    assert_eq!(there.get("/account/").await.status, StatusCode::SEE_OTHER);
}

/// attacks.md C5 94: whoever had the old password may have lent something in another session, for when nobody is there.
#[tokio::test]
async fn a_changed_password_ends_what_was_lent_in_other_sessions_and_leaves_what_was_lent_in_this_one() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let (mut here, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut there, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let scope = "openid offline_access shop";
    shop.asks(&mut here, scope, &[]).await.allow(&mut here, &["offline_access", "shop"]).await;
    let mut lent = vec![];
    for (is_here, scope) in [(true, scope), (false, scope), (false, "openid shop")] {
        let browser = if is_here { &mut here } else { &mut there };
        lent.push(shop.redeemed(&shop.asks(browser, scope, &[]).await.answer).await);
    }
    let token = form_token(&here.get("/account/security").await);
    let fields = [("form", token.as_str()), ("password", PASSWORD), ("new_password", "another horse, another battery")];
    let answer = here.post("/account/security/password", &fields).await;
    assert_eq!(answer.header(header::LOCATION), "/account/security", "{}", answer.text);
    let mut renewed = vec![];
    for tokens in &lent {
        renewed.push(shop.renew(tokens).await);
    }
    assert_eq!(renewed[0].status, StatusCode::OK, "{}", renewed[0].text);
    for answer in &renewed[1..] {
        assert_eq!(answer.json["error"], "invalid_grant", "{}", answer.text);
    }
    let access = lent[1]["access_token"].as_str().expect("a token");
    assert_eq!(shop.fixture.userinfo("/tenants/acme/connect/userinfo", access).await.status, StatusCode::UNAUTHORIZED);
}

/// attacks.md C10 258.
#[tokio::test]
async fn what_could_lock_somebody_out_asks_for_a_recent_proof_as_strong_as_they_have_one() {
    const NEW: [(&str, &str); 2] = [("password", PASSWORD), ("new_password", "another horse, another battery")];
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let send = async |browser: &mut Visitor<'_>, path: &str| {
        let token = form_token(&browser.get("/account/security").await);
        browser.post(path, &[&[("form", token.as_str())], &NEW[..]].concat()).await
    };
    // The edge: a proof of 299 seconds is recent, one of 300 is not.
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    shop.fixture.clock.advance_secs(299);
    assert!(!browser.get("/account/security").await.text.contains("prove once more who you are"));
    shop.fixture.clock.advance_secs(1);
    assert!(browser.get("/account/security").await.text.contains("prove once more who you are"));
    for path in ["/account/security/password", "/account/security/apps"] {
        let answer = send(&mut browser, path).await;
        assert!(is_led_to_a_proof(&answer), "{path}: {} {}", answer.status, answer.text);
    }
    // Whoever came in by a letter shows the password, however recent that is.
    let (mut by_letter, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &[Proof::EmailCode]).await;
    let answer = send(&mut by_letter, "/account/security/apps").await;
    assert!(is_led_to_a_proof(&answer), "{} {}", answer.status, answer.text);
    let asked = by_letter.follow(answer).await;
    assert!(asked.text.contains("name=\"password\"") && asked.text.contains("ada@acme.example"), "{}", asked.text);

    // With an app, the password alone is not enough, however recent; nor are a letter and the app.
    shop.fixture.app_of(&shop.ada).await;
    shop.fixture.codes_of(&shop.ada).await;
    let app = shop.fixture.credentials_of(&shop.ada).await.totp[0].0;
    let remove = format!("/account/security/apps/{app}/remove");
    let paths =
        ["/account/security/password", "/account/security/apps", "/account/security/recovery-codes", remove.as_str()];
    for (weak, asked) in [(&[Proof::Password][..], "code"), (&[Proof::EmailCode, Proof::Otp], "password")] {
        let (mut weak, _) = Visitor::of_proven(&shop.fixture, &shop.ada, weak).await;
        for path in paths {
            let answer = send(&mut weak, path).await;
            assert!(is_led_to_a_proof(&answer), "{path}: {} {}", answer.status, answer.text);
            let page = weak.follow(answer).await;
            assert!(page.text.contains(&format!("name=\"{asked}\"")), "{path}: {}", page.text);
        }
    }
    // What was shown too long ago is shown again, and the first thing first.
    for old in [&[Proof::Password][..], &[Proof::Password, Proof::Otp]] {
        let (mut old, _) = Visitor::of_proven(&shop.fixture, &shop.ada, old).await;
        shop.fixture.clock.advance_secs(300);
        let answer = send(&mut old, "/account/security/apps").await;
        assert!(is_led_to_a_proof(&answer), "{} {}", answer.status, answer.text);
        let page = old.follow(answer).await;
        assert!(page.text.contains("name=\"password\""), "{}", page.text);
    }
    let kept = shop.fixture.credentials_of(&shop.ada).await;
    assert_eq!((kept.totp.len(), kept.recovery.expect("codes").left()), (1, 10));
    assert!(is_password(&shop.fixture, &shop.ada, PASSWORD).await);
    let (mut strong, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &[Proof::Password, Proof::Otp]).await;
    let answer = send(&mut strong, "/account/security/password").await;
    assert_eq!(answer.header(header::LOCATION), "/account/security", "{}", answer.text);
}

/// attacks.md C10 258: a code shows who has the app now. Who sits there may still be somebody who found the browser open.
#[tokio::test]
async fn whoever_proved_both_things_long_ago_shows_both_again() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let app = shop.fixture.app_of(&shop.ada).await;
    let (mut browser, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &[Proof::Password, Proof::Otp]).await;
    shop.fixture.clock.advance_secs(300);
    let token = form_token(&browser.get("/account/security").await);
    let asked = browser.post("/account/security/proof", &[("form", &token)]).await;
    let at = asked.header(header::LOCATION).to_owned();
    let page = browser.follow(asked).await;
    assert!(page.text.contains("name=\"password\"") && !page.text.contains("name=\"code\""), "{}", page.text);
    let token = form_token(&page);
    // The code alone leads nowhere.
    let code = shop.fixture.code(&app);
    let early = browser.post(&format!("{at}/second-factor"), &[("form", &token), ("code", &code)]).await;
    assert_ne!(early.header(header::LOCATION), "/account/security", "{}", early.text);
    assert!(browser.get("/account/security").await.text.contains("prove once more who you are"));
    let fields = [("form", token.as_str()), ("email", "ada@acme.example"), ("password", PASSWORD)];
    let answer = browser.post(&format!("{at}/password"), &fields).await;
    let token = form_token(&browser.follow(answer).await);
    let answer = browser.post(&format!("{at}/second-factor"), &[("form", &token), ("code", &code)]).await;
    assert_eq!(answer.header(header::LOCATION), "/account/security", "{}", answer.text);
    assert!(!browser.get("/account/security").await.text.contains("prove once more who you are"));
}

/// attacks.md C10 242, 243, 258: only what is missing is asked for, where one goes back to is kept on the server, and what was
/// known of the session before is good for nothing after.
#[tokio::test]
async fn whoever_shows_what_was_missing_comes_back_to_the_page_with_another_cookie() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let app = shop.fixture.app_of(&shop.ada).await;
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let before = browser.cookies[SESSION].clone();
    let token = form_token(&browser.get("/account/security").await);
    let elsewhere = [("next", "//evil.example"), ("return_to", "https://evil.example"), ("rd", "/\\evil.example")];
    let fields = [&[("form", token.as_str())], &elsewhere[..]].concat();
    let asked = browser.post("/account/security/proof?next=//evil.example", &fields).await;
    let at = asked.header(header::LOCATION).to_owned();
    let page = browser.follow(asked).await;
    assert!(page.text.contains("name=\"code\"") && !page.text.contains("evil"), "{}", page.text);
    let code = shop.fixture.code(&app);
    let token = form_token(&page);
    let fields = [&[("form", token.as_str()), ("code", code.as_str())], &elsewhere[..]].concat();
    let answer = browser.post(&format!("{at}/second-factor?next=//evil.example"), &fields).await;
    assert_eq!(answer.header(header::LOCATION), "/account/security");
    assert!(!browser.get("/account/security").await.text.contains("prove once more who you are"));
    assert!(browser.get("/account/sessions").await.text.contains(&session.to_string()));
    let mut thief = Visitor::new(&shop.fixture);
    thief.cookies.insert(SESSION.to_owned(), before);
    assert_eq!(thief.get("/account/security").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_app_is_set_up_and_another_takes_its_place() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let mut codes = None;
    for number in 1..=2 {
        let (at, secret, token) = begin_app(&mut browser).await;
        let wrong = browser.post(&format!("{at}/enrolment"), &[("form", &token), ("code", "000000")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        let code = shop.fixture.code(&secret);
        let done = browser.post(&format!("{at}/enrolment"), &[("form", &token), ("code", &code)]).await;
        // The codes that were shown for the first are good for the second too.
        assert_eq!(done.text.contains("class=\"codes\""), number == 1, "{}", done.text);
        let on = if number == 1 { browser.get(&format!("{at}/continue")).await } else { done };
        assert_eq!(on.header(header::LOCATION), "/account/security");
        let kept = shop.fixture.credentials_of(&shop.ada).await;
        assert_eq!(kept.totp.len(), number);
        assert!(kept.totp.iter().any(|(_, kept)| *kept == secret));
        codes = codes.or(kept.recovery.clone());
        assert_eq!(kept.recovery, codes);
    }
    // There is no room for a third.
    let page = browser.get("/account/security").await;
    assert!(
        !page.text.contains("Set up another app") && page.text.contains("Codes that still work: 10"),
        "{}",
        page.text
    );
    let token = form_token(&page);
    let third = browser.post("/account/security/apps", &[("form", &token)]).await;
    assert_eq!(third.status, StatusCode::OK, "{:?}", third.headers);
    assert_eq!(shop.fixture.credentials_of(&shop.ada).await.totp.len(), 2);
}

/// attacks.md C10 250.
#[tokio::test]
async fn the_code_that_sets_an_app_up_proves_nothing_after() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut thief, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (at, secret, token) = begin_app(&mut browser).await;
    let code = shop.fixture.code(&secret);
    browser.post(&format!("{at}/enrolment"), &[("form", &token), ("code", &code)]).await;
    let token = form_token(&thief.get("/account/security").await);
    let asked = thief.post("/account/security/proof", &[("form", &token)]).await;
    let at = asked.header(header::LOCATION).to_owned();
    let token = form_token(&thief.follow(asked).await);
    for (code, status) in [(code, StatusCode::UNPROCESSABLE_ENTITY), (next_code(&shop, &secret), StatusCode::SEE_OTHER)]
    {
        let answer = thief.post(&format!("{at}/second-factor"), &[("form", &token), ("code", &code)]).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

/// The code that an app shows half a minute from now.
fn next_code(shop: &Shop, app: &TotpSecret) -> String {
    app.code_at(shop.fixture.server.app().clock.now().plus_secs(30)).expect("a code")
}

/// The path of the interaction, what the app is to keep, and the token of the form.
async fn begin_app(browser: &mut Visitor<'_>) -> (String, TotpSecret, String) {
    let token = form_token(&browser.get("/account/security").await);
    let begun = browser.post("/account/security/apps", &[("form", &token)]).await;
    let at = begun.header(header::LOCATION).to_owned();
    let page = browser.follow(begun).await;
    (at, shown_secret(&page), form_token(&page))
}

/// attacks.md C10 246: each app is one more code that would do for whoever guesses, so of two that are set up at once one is added.
#[tokio::test]
async fn two_apps_are_the_most_however_many_are_set_up_at_once() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    shop.fixture.app_of(&shop.ada).await;
    let (mut browser, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &[Proof::Password, Proof::Otp]).await;
    let begun = [begin_app(&mut browser).await, begin_app(&mut browser).await];
    for (at, secret, token) in &begun {
        let code = shop.fixture.code(secret);
        browser.post(&format!("{at}/enrolment"), &[("form", token), ("code", &code)]).await;
    }
    let kept = shop.fixture.credentials_of(&shop.ada).await.totp;
    assert!(kept.len() == 2 && kept.iter().all(|(_, secret)| *secret != begun[1].1));
}

/// Whoever ends their sessions also ends what somebody began to set up in one of them.
#[tokio::test]
async fn an_app_is_not_set_up_for_a_session_that_has_ended() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let (mut thief, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (at, secret, token) = begin_app(&mut thief).await;
    let (mut ada, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let hers = form_token(&ada.get("/account/sessions").await);
    ada.post("/account/sessions/end-others", &[("form", &hers)]).await;
    let code = shop.fixture.code(&secret);
    thief.post(&format!("{at}/enrolment"), &[("form", &token), ("code", &code)]).await;
    assert!(shop.fixture.credentials_of(&shop.ada).await.totp.is_empty());
    assert_eq!(thief.get("/account/").await.status, StatusCode::SEE_OTHER);
}

/// attacks.md C10 253: guesses here count as they do at the door, where they are made, and are forgiven after a while.
#[tokio::test]
async fn whoever_guesses_the_current_password_is_told_to_wait_here_and_at_the_door() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&browser.get("/account/security").await);
    let path = "/account/security/password";
    let new = ("new_password", "another horse, another battery");
    for guess in 0..10 {
        let answer = browser.post(path, &[("form", &token), ("password", "wrong"), new]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{guess}");
    }
    let answer = browser.post(path, &[("form", &token), ("password", PASSWORD), new]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{}", answer.text);
    assert!(answer.text.contains("Wait a few minutes"), "{}", answer.text);
    let wait: i64 = answer.header(header::RETRY_AFTER).parse().expect("seconds");
    assert!(is_password(&shop.fixture, &shop.ada, PASSWORD).await);
    let door = Browser::new(&shop.fixture);
    let at = door.begin("/account/").await;
    door.step(&at, "organisation", &[("organisation", "acme")]).await;
    assert_eq!(door.password(&at, "Ada@acme.example", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    shop.fixture.clock.advance_secs(wait);
    let answer = door.password(&at, "ada@acme.example", PASSWORD).await;
    assert_eq!(answer.header(header::LOCATION), "/account/", "{}", answer.text);
}

#[tokio::test]
async fn whoever_has_no_password_sets_the_first_one() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &[Proof::Passkey]).await;
    let page = browser.get("/account/security").await;
    assert!(!page.text.contains("current-password") && page.text.contains("Set a password"), "{}", page.text);
    let token = form_token(&page);
    let fields = [("form", token.as_str()), ("new_password", PASSWORD)];
    let answer = browser.post("/account/security/password", &fields).await;
    assert_eq!(answer.header(header::LOCATION), "/account/security", "{}", answer.text);
    assert!(is_password(&shop.fixture, &shop.ada, PASSWORD).await);
}

#[tokio::test]
async fn recovery_codes_are_shown_once_and_go_with_the_app_they_stand_in_for() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    shop.fixture.app_of(&shop.ada).await;
    let before = shop.fixture.codes_of(&shop.ada).await.expose_secret()[0].clone();
    let (mut browser, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &[Proof::Password, Proof::Otp]).await;
    let token = form_token(&browser.get("/account/security").await);
    let shown = browser.post("/account/security/recovery-codes", &[("form", &token)]).await;
    assert_eq!((shown.status, shown.header(header::CACHE_CONTROL)), (StatusCode::OK, "no-store"), "{}", shown.text);
    let (_, rest) = shown.text.split_once("<ul class=\"codes\"><li>").expect("codes");
    assert!(rest.contains("action=\"/account/security\""), "{rest}");
    let code = rest.split('<').next().expect("a code");
    let kept = shop.fixture.credentials_of(&shop.ada).await.recovery.expect("codes");
    assert!(kept.without(code).is_some() && kept.without(&before).is_none());
    assert!(!browser.get("/account/security").await.text.contains(code));

    let bob = user(&shop.fixture, Some(&shop.tenant), "bob@acme.example", json!({})).await;
    shop.fixture.app_of(&bob).await;
    let his = shop.fixture.credentials_of(&bob).await.totp[0].0;
    let hers = shop.fixture.credentials_of(&shop.ada).await.totp[0].0;
    let remove = async |browser: &mut Visitor<'_>, id: &str| {
        browser.post(&format!("/account/security/apps/{id}/remove"), &[("form", &token)]).await
    };
    assert_eq!(remove(&mut browser, &his.to_string()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.fixture.credentials_of(&bob).await.totp.len(), 1);
    let path = format!("/tenants/{}", shop.tenant["id"].as_str().expect("an id"));
    for (policy, status, left) in [("required", StatusCode::FORBIDDEN, 1), ("optional", StatusCode::SEE_OTHER, 0)] {
        shop.fixture.made(Method::PATCH, &path, &json!({"settings": {"mfa": policy}})).await;
        assert_eq!(remove(&mut browser, &hers.to_string()).await.status, status, "{policy}");
        assert_eq!(shop.fixture.credentials_of(&shop.ada).await.totp.len(), left, "{policy}");
    }
    assert!(shop.fixture.credentials_of(&shop.ada).await.recovery.is_none());
}

/// What is taken away may be what somebody else had: their sessions go with it.
#[tokio::test]
async fn an_app_that_is_taken_away_ends_all_other_sessions_and_is_missed_where_it_is_required() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    shop.fixture.app_of(&shop.ada).await;
    let path = format!("/tenants/{}", shop.tenant["id"].as_str().expect("an id"));
    shop.fixture.made(Method::PATCH, &path, &json!({"settings": {"mfa": "required"}})).await;
    let both = [Proof::Password, Proof::Otp];
    let (mut here, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &both).await;
    let (mut there, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &both).await;
    let token = form_token(&here.get("/account/security").await);
    let remove = async |browser: &mut Visitor<'_>| {
        let app = shop.fixture.credentials_of(&shop.ada).await.totp[0].0;
        browser.post(&format!("/account/security/apps/{app}/remove"), &[("form", &token)]).await
    };
    let refused = remove(&mut here).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("Your organisation asks everybody for a second factor"), "{}", refused.text);
    assert_eq!(there.get("/account/").await.status, StatusCode::OK);
    shop.fixture.app_of(&shop.ada).await;
    assert_eq!(remove(&mut here).await.status, StatusCode::SEE_OTHER);
    assert_eq!(there.get("/account/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(here.get("/account/").await.status, StatusCode::OK);
    assert_eq!(remove(&mut here).await.status, StatusCode::FORBIDDEN);
}

/// attacks.md C10 246: of two that are taken away at once one stays where it is required. Both have seen two before one is gone.
#[tokio::test]
async fn of_two_last_apps_that_are_taken_away_at_once_one_stays_where_it_is_required() {
    let (fixture, store) = Faulty::fixture("").await;
    for (policy, left) in [("required", 1), ("optional", 0)] {
        let tenant = fixture.tenant(policy, json!({"mfa": policy})).await;
        let ada = fixture.person(Some(&tenant), "ada@acme.example").await;
        fixture.app_of(&ada).await;
        fixture.app_of(&ada).await;
        let (mut one, _) = Visitor::of_proven(&fixture, &ada, &[Proof::Password, Proof::Otp]).await;
        let token = form_token(&one.get("/account/security").await);
        let mut other = Visitor::new(&fixture);
        other.cookies.clone_from(&one.cookies);
        let apps = fixture.credentials_of(&ada).await.totp;
        let remove = async |browser: &mut Visitor<'_>, place: usize| {
            let path = format!("/account/security/apps/{}/remove", apps[place].0);
            browser.post(&path, &[("form", &token)]).await.status
        };
        let both = async { tokio::join!(remove(&mut one, 0), remove(&mut other, 1)) };
        let (first, second) = store.both_before_one("begin", both).await;
        let refused = [first, second].into_iter().filter(|status| *status == StatusCode::FORBIDDEN).count();
        assert_eq!((refused, fixture.credentials_of(&ada).await.totp.len()), (left, left), "{policy}");
        assert_eq!(one.get("/account/").await.status, StatusCode::OK, "{policy}");
    }
}
