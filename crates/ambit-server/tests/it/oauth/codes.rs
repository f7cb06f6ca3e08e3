//! Codes and refresh tokens at the token endpoint: once, for the client they were made for, with the facts of now.

use ambit_core::authentication::Method as Proof;
use ambit_core::store::noun;
use ambit_protocol::admin::user::{User, UserStatus};
use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::lending::{Back, CALLBACK, ISSUER, Lending, TOKEN, VERIFIER, is_refused, redemption, refresh_token};
use crate::support::{Answer, START, claims};

#[tokio::test]
async fn a_code_becomes_an_access_token_an_id_token_and_a_refresh_token() {
    let lending = Lending::new().await;
    lending.fixture.clock.advance_secs(30);
    let code = lending.code(&[("scope", "openid profile email shopper.read pos.read")]).await;
    let answer = lending.redeem(&code).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    let access = claims(&answer.access_token());
    let user = lending.user["id"].clone();
    assert_eq!((&access["iss"], &access["sub"], &access["client_id"]), (&json!(ISSUER), &user, &json!("shop")));
    assert_eq!(access["scope"], answer.json["scope"]);
    assert_eq!(
        (&access["acr"], &access["auth_time"]),
        (&json!("urn:ambit:aal1"), &json!(START)),
        "when they signed in"
    );
    assert_eq!((&access["amr"], &access["tenant_slug"]), (&json!(["pwd"]), &json!("acme")));
    assert!(access["grant_id"].as_str().is_some_and(|id| id.starts_with("gnt_")) && access["level"].is_null());

    let id = claims(answer.json["id_token"].as_str().expect("an ID token"));
    assert_eq!((&id["iss"], &id["sub"], &id["aud"]), (&json!(ISSUER), &user, &json!("shop")));
    assert_eq!((&id["nonce"], &id["auth_time"], &id["acr"]), (&json!("n-0S6"), &access["auth_time"], &access["acr"]));
    assert!(id["at_hash"].is_string() && id["sid"].as_str().is_some_and(|sid| sid.starts_with("ses_")));
    assert!(id["email"].is_null(), "what scopes ask for comes from the userinfo endpoint");

    // A gated member whose gate is off is dropped, and named.
    let dropped = &answer.json["dropped_scopes"][0];
    assert_eq!(
        (&dropped["scope"], &dropped["reason"]),
        (&json!("pos:receipts:read"), &json!("feature_off_for_tenant"))
    );
    let told = lending.fixture.userinfo("/tenants/acme/connect/userinfo", &answer.access_token()).await;
    assert_eq!(told.json["sub"], user);
    assert_eq!(
        (&told.json["email"], &told.json["email_verified"], &told.json["name"]),
        (&json!("Ada@acme.example"), &json!(true), &json!("Ada Lovelace"))
    );
}

/// `claims` (OpenID Connect Core §5.5) says which of what was granted is told, and where: it is no way around the scopes.
#[tokio::test]
async fn a_claim_asked_for_by_name_is_told_within_the_scopes_that_are_granted() {
    let lending = Lending::new().await;
    let email = |claims: &Value| claims["email"].clone();
    let id_token = |answer: &Answer| claims(answer.json["id_token"].as_str().expect("an ID token"));
    let userinfo = async |answer: &Answer| {
        lending.fixture.userinfo("/tenants/acme/connect/userinfo", &answer.access_token()).await.json
    };
    let named = r#"{"id_token":{"email":{"essential":true},"email_verified":null},"userinfo":{"email":null}}"#;
    for (scope, told) in [
        ("openid shopper.read", Value::Null),
        ("openid profile shopper.read", Value::Null),
        ("openid email shopper.read", json!("Ada@acme.example")),
    ] {
        let answer = lending.redeem(&lending.code(&[("scope", scope), ("claims", named)]).await).await;
        assert_eq!(
            (email(&id_token(&answer)), email(&userinfo(&answer).await)),
            (told.clone(), told.clone()),
            "{scope}"
        );
        // What a renewal leaves out is told no more, though it was asked for by name.
        let less = lending.refresh(&refresh_token(&answer), &[("scope", "openid shopper.read")]).await;
        assert_eq!(email(&id_token(&less)), Value::Null, "{scope}: {}", less.text);
        assert_eq!(email(&userinfo(&less).await), Value::Null, "{scope}");
    }
}

/// attacks.md C4 78: the second use ends what came of the first.
#[tokio::test]
async fn a_code_used_twice_takes_down_the_tokens_issued_from_it() {
    let lending = Lending::new().await;
    let code = lending.code(&[]).await;
    let first = lending.redeem(&code).await;
    assert!(lending.is_active(&first.access_token()).await);
    is_refused(&lending.redeem(&code).await, "oauth2-code-reused");
    assert!(!lending.is_active(&first.access_token()).await, "the access token ended");
    is_refused(&lending.refresh(&refresh_token(&first), &[]).await, "oauth2-refresh-token-not-known");
    let told = lending.fixture.userinfo("/tenants/acme/connect/userinfo", &first.access_token()).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
}

/// attacks.md C4 79, on one node and on two.
#[tokio::test]
async fn of_many_who_redeem_one_code_at_once_one_gets_tokens() {
    let lending = Lending::new().await;
    let code = lending.code(&[]).await;
    let other = lending.fixture.another_node().await;
    let fields = redemption(&code);
    let client = Some(("shop", lending.secret.as_str()));
    let tries = (0..50).map(|place| {
        let fixture = if place % 2 == 0 { &lending.fixture } else { &other };
        fixture.form(TOKEN, client, &fields)
    });
    let answers = futures_util::future::join_all(tries).await;
    let won = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(won, 1);
    assert!(answers.iter().all(|it| it.status == StatusCode::OK || it.json["error"] == "invalid_grant"));
}

/// attacks.md C3 69, 70, 74 and C4 53: one mistake, and the code is spent.
#[tokio::test]
async fn a_wrong_guess_burns_the_code() {
    let lending = Lending::new().await;
    let wrong = "x".repeat(43);
    let grant = ("grant_type", "authorization_code");
    let (uri, verifier) = (("redirect_uri", CALLBACK), ("code_verifier", VERIFIER));
    for (own, page) in [
        (&[uri][..], "oauth2-code-verifier-missing"),
        (&[uri, ("code_verifier", "")], "oauth2-code-verifier-missing"),
        (&[uri, ("code_verifier", &wrong)], "oauth2-pkce-verifier-mismatch"),
        (&[verifier], "oauth2-code-redirect-uri-mismatch"),
        (&[verifier, ("redirect_uri", "https://shop.example/cb/")], "oauth2-code-redirect-uri-mismatch"),
        (&[verifier, ("redirect_uri", "https://shop.example/%63b")], "oauth2-code-redirect-uri-mismatch"),
    ] {
        let code = lending.code(&[]).await;
        let fields = [&[grant, ("code", &code)], own].concat();
        is_refused(&lending.ask(&fields).await, page);
        is_refused(&lending.redeem(&code).await, "oauth2-code-reused");
    }
}

/// attacks.md C3 74, at once: whoever guesses while the code is redeemed has used it a second time.
#[tokio::test]
async fn a_wrong_guess_beside_the_right_one_takes_its_tokens_down() {
    let (lending, store) = Lending::held_up().await;
    let before = lending.redeem(&lending.code(&[]).await).await;
    let code = lending.code(&[]).await;
    let wrong = "x".repeat(43);
    let guess = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", wrong.as_str()),
    ];
    let mut redeemed = None;
    let guessed = store.meanwhile("spend_code", lending.ask(&guess), async || {
        redeemed = Some(lending.redeem(&code).await);
    });
    is_refused(&guessed.await, "oauth2-code-reused");
    let redeemed = redeemed.expect("an answer");
    assert_eq!(redeemed.status, StatusCode::OK, "it came first: {}", redeemed.text);
    assert!(!lending.is_active(&redeemed.access_token()).await, "the access token ended");
    is_refused(&lending.refresh(&refresh_token(&redeemed), &[]).await, "oauth2-refresh-token-not-known");
    assert!(lending.is_active(&before.access_token()).await, "what came of another code goes on");
}

#[tokio::test]
async fn without_pkce_a_nonce_does_for_a_client_that_may_and_a_verifier_is_a_downgrade() {
    let lending = Lending::new().await;
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, &json!({ "pkce_optional": true })).await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = lending.code(&without).await;
    is_refused(&lending.redeem(&code).await, "oauth2-pkce-verifier-mismatch");
    let code = lending.code(&without).await;
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)];
    assert_eq!(lending.ask(&fields).await.status, StatusCode::OK);
    // A method without a challenge is half of one, and none that was left out.
    for half in [&[without[0], without[1], ("nonce", "")][..], &[without[0]], &[without[1]]] {
        let back = Back::of(&lending.authorize(half).await);
        assert_eq!((back.get("error"), back.get("code")), (Some("invalid_request"), None), "{half:?}");
    }
}

/// attacks.md C4 82: a second before its end it is good, at its end it is not.
#[tokio::test]
async fn a_code_lives_a_minute() {
    let lending = Lending::new().await;
    let code = lending.code(&[]).await;
    lending.fixture.clock.advance_millis(59_999);
    assert_eq!(lending.redeem(&code).await.status, StatusCode::OK);
    let code = lending.code(&[]).await;
    lending.fixture.clock.advance_millis(60_000);
    is_refused(&lending.redeem(&code).await, "oauth2-code-expired");
}

/// attacks.md C4 81 and C5 93.
#[tokio::test]
async fn what_is_another_clients_is_good_for_nobody_else() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let secret = lending.another().await;
    let client = Some(("other", secret.as_str()));
    let code = lending.code(&[]).await;
    let fields = redemption(&code);
    is_refused(&fixture.form(TOKEN, client, &fields).await, "oauth2-grant-of-another-client");
    // Whose it is, it is still good for: nobody can spoil another's code.
    let tokens = lending.redeem(&code).await;
    assert!(lending.is_active(&tokens.access_token()).await);
    // Once it was used it is a stolen one, in whichever hands.
    is_refused(&fixture.form(TOKEN, client, &fields).await, "oauth2-code-reused");
    assert!(!lending.is_active(&tokens.access_token()).await);

    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let token = refresh_token(&tokens);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    is_refused(&fixture.form(TOKEN, client, &fields).await, "oauth2-grant-of-another-client");
    // A refresh token in other hands is a stolen one.
    is_refused(&lending.refresh(&token, &[]).await, "oauth2-refresh-token-not-known");
    assert!(!lending.is_active(&tokens.access_token()).await);
}

/// attacks.md C5 91, and the grace for a client whose answer was lost.
#[tokio::test]
async fn a_refresh_token_is_used_once_and_repeated_within_the_grace_to_the_same_end() {
    let lending = Lending::new().await;
    let first = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    let answer = lending.refresh(&first, &[]).await;
    let second = refresh_token(&answer);
    assert_ne!(first, second);
    assert!(claims(answer.json["id_token"].as_str().expect("an ID token"))["nonce"].is_null());
    lending.fixture.clock.advance_millis(10_000);
    assert_eq!(refresh_token(&lending.refresh(&first, &[]).await), second, "the same successor");
    let third = refresh_token(&lending.refresh(&second, &[]).await);
    // The successor was used: whoever repeats the first now is not the one who lost an answer.
    is_refused(&lending.refresh(&first, &[]).await, "oauth2-refresh-token-reused");
    is_refused(&lending.refresh(&third, &[]).await, "oauth2-refresh-token-not-known");

    let first = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    let answer = lending.refresh(&first, &[]).await;
    lending.fixture.clock.advance_millis(10_001);
    is_refused(&lending.refresh(&first, &[]).await, "oauth2-refresh-token-reused");
    is_refused(&lending.refresh(&refresh_token(&answer), &[]).await, "oauth2-refresh-token-not-known");
    assert!(!lending.is_active(&answer.access_token()).await);
}

/// attacks.md C7 151, C5 102, 107: a refusal uses nothing up.
#[tokio::test]
async fn less_may_be_asked_for_and_never_more() {
    let lending = Lending::new().await;
    let code = lending.code(&[("scope", "openid shopper.read")]).await;
    let token = refresh_token(&lending.redeem(&code).await);
    for more in ["openid shopper.read shopper.write", "offline_access", "admin:read"] {
        let answer = lending.refresh(&token, &[("scope", more)]).await;
        assert_eq!(answer.json["error"], "invalid_scope", "{more}: {}", answer.text);
    }
    let many = "x ".repeat(513);
    let told = lending.refresh(&token, &[("scope", &many)]).await.json["error_description"].to_string();
    assert!(told.contains("more than 512 scopes"), "{told}");
    let other = lending.refresh(&token, &[("resource", "https://nobody.example")]).await;
    assert_eq!(other.json["error"], "invalid_target", "{}", other.text);
    // Longer ago than a client may repeat itself: a token that was used by then would be a stolen one.
    lending.fixture.clock.advance_millis(10_001);
    let less = lending.refresh(&token, &[("scope", "shopper.read")]).await;
    assert_eq!(less.json["scope"], "shopper.read", "{}", less.text);
    assert!(less.json["id_token"].is_null());
    // What was lent is as it was: the next one may have all of it.
    let again = lending.refresh(&refresh_token(&less), &[]).await;
    assert_eq!(again.json["scope"], "openid shopper.read");
    // A scope on the request that redeems a code is no parameter of it (attacks.md C7 155).
    let code = lending.code(&[("scope", "openid shopper.read")]).await;
    let fields = [&redemption(&code)[..], &[("scope", "openid shopper.read shopper.write")]].concat();
    assert_eq!(lending.ask(&fields).await.json["scope"], "openid shopper.read");
}

/// attacks.md C4 85, C5 94, 95, C7 153, 154: every renewal is a decision of now.
#[tokio::test]
async fn what_changed_since_counts_at_once() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let application = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    let allow = async |scopes: &[&str]| {
        fixture.made(Method::PATCH, &application, &json!({ "allowed_scopes": scopes })).await;
    };
    let code = lending.code(&[]).await;
    let token = refresh_token(&lending.redeem(&lending.code(&[]).await).await);

    // The application may less than it did: a code made before is void, a renewal has what is left.
    allow(&["openid", "profile", "shopper.write"]).await;
    is_refused(&lending.redeem(&code).await, "oauth2-invalid-grant");
    let answer = lending.refresh(&token, &[]).await;
    assert_eq!(answer.json["scope"], "openid profile", "{}", answer.text);
    assert_eq!(answer.json["dropped_scopes"][0]["reason"], "not_allowed");
    // It may more: what was never lent is not in it.
    allow(&["openid", "profile", "shopper.read", "shopper.write"]).await;
    let answer = lending.refresh(&refresh_token(&answer), &[]).await;
    assert_eq!(answer.json["scope"], "openid profile shopper.read", "{}", answer.text);

    // The person takes a consent back.
    let id = lending.application["id"].as_str().expect("an id").parse().expect("an application's");
    fixture.store.sign_ins().withdraw_consent(lending.user_id(), id).await.expect("an answer");
    let kept = refresh_token(&answer);
    is_refused(&lending.refresh(&kept, &[]).await, "oauth2-invalid-grant");
    lending.consent("openid profile shopper.read").await;
    fixture.clock.advance_millis(10_001);
    let answer = lending.refresh(&kept, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "a refusal uses nothing up: {}", answer.text);

    // The person may not sign in any more.
    let code = lending.code(&[]).await;
    let user = format!("/users/{}", lending.user["id"].as_str().expect("an id"));
    fixture.made(Method::PATCH, &user, &json!({ "status": "disabled" })).await;
    assert_eq!(lending.redeem(&code).await.json["error"], "invalid_grant");
    assert_eq!(lending.refresh(&refresh_token(&answer), &[]).await.json["error"], "invalid_grant");
    assert!(!lending.is_active(&answer.access_token()).await);
}

/// What somebody lent is ended after they are disabled; between the two nothing is made of it.
#[tokio::test]
async fn whoever_may_not_sign_in_lends_nothing_even_before_what_they_lent_is_ended() {
    let lending = Lending::new().await;
    let offline = [("scope", "openid offline_access shopper.read")];
    let mut token = refresh_token(&lending.redeem(&lending.code(&offline).await).await);
    let ada: User = serde_json::from_value(lending.user.clone()).expect("a user");
    let set = async |status| {
        let after = User { status, ..ada.clone() };
        lending.fixture.change(async |edit| noun::update(edit.tx, after, None).await.map_err(Into::into)).await;
    };
    for status in [UserStatus::Disabled, UserStatus::Invited] {
        let code = lending.code(&offline).await;
        set(status).await;
        is_refused(&lending.redeem(&code).await, "oauth2-user-disabled");
        is_refused(&lending.refresh(&token, &[]).await, "oauth2-user-disabled");
        set(UserStatus::Active).await;
        lending.fixture.clock.advance_millis(10_001);
        let answer = lending.refresh(&token, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "a refusal uses nothing up: {status:?} {}", answer.text);
        token = refresh_token(&answer);
    }
}

/// identity.md §4: the tenant's status rules every token call, whatever was lent before.
#[tokio::test]
async fn in_a_tenant_that_is_shut_nothing_that_was_lent_becomes_a_token() {
    let lending = Lending::new().await;
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let (token, code) = (refresh_token(&tokens), lending.code(&[]).await);
    let path = format!("/tenants/{}/status", lending.tenant_id);
    lending.fixture.made(Method::POST, &path, &json!({ "status": "suspended" })).await;
    for answer in [lending.redeem(&code).await, lending.refresh(&token, &[]).await] {
        assert_eq!(answer.status, StatusCode::PAYMENT_REQUIRED, "{}", answer.text);
        assert_eq!(answer.json["error"], "access_denied");
    }
    let told = lending.fixture.userinfo("/tenants/acme/connect/userinfo", &tokens.access_token()).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
    assert_eq!(Back::of(&lending.authorize(&[]).await).get("error"), Some("access_denied"));
}

/// attacks.md C1 30: nothing that it was given is worth anything, whoever lent it.
#[tokio::test]
async fn what_was_lent_to_an_application_that_is_disabled_is_worth_nothing() {
    let lending = Lending::new().await;
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let (token, code) = (refresh_token(&tokens), lending.code(&[]).await);
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, &json!({ "status": "disabled" })).await;
    for answer in [lending.redeem(&code).await, lending.refresh(&token, &[]).await] {
        assert_eq!(answer.json["error"], "invalid_client", "{}", answer.text);
    }
    let told = lending.fixture.userinfo("/tenants/acme/connect/userinfo", &tokens.access_token()).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
}

/// What is told of a person is what would be granted now, and takes `openid` (OpenID Connect Core §5.3).
#[tokio::test]
async fn of_a_person_no_more_is_told_than_the_token_still_holds() {
    let lending = Lending::new().await;
    let userinfo = async |token: &str| lending.fixture.userinfo("/tenants/acme/connect/userinfo", token).await;
    let tokens = lending.redeem(&lending.code(&[("scope", "openid email")]).await).await;
    let told = userinfo(&tokens.access_token()).await;
    assert_eq!((told.header(header::CACHE_CONTROL), &told.json["email"]), ("no-store", &json!("Ada@acme.example")));
    let without = lending.redeem(&lending.code(&[("scope", "email shopper.read")]).await).await;
    let told = userinfo(&without.access_token()).await;
    assert_eq!((told.status, &told.json["email"]), (StatusCode::FORBIDDEN, &Value::Null), "{}", told.text);
    assert!(told.header(header::WWW_AUTHENTICATE).contains(r#"error="insufficient_scope", scope="openid""#));

    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, &json!({ "allowed_scopes": ["openid"] })).await;
    let told = userinfo(&tokens.access_token()).await;
    assert_eq!((told.status, &told.json["email"]), (StatusCode::OK, &Value::Null), "{}", told.text);
}

/// attacks.md C5 102 (RFC 8707 §2.2): what was lent for one API is good for no other, registered as it may be.
#[tokio::test]
async fn what_was_lent_for_one_api_is_asked_for_no_other() {
    let lending = Lending::new().await;
    let (shopper, pos) =
        (("resource", "https://api.retail.example/shopper"), ("resource", "https://api.retail.example/pos"));
    let asked = [("scope", "openid shopper.read"), shopper];
    let redeem = async |resource| {
        let code = lending.code(&asked).await;
        let fields = [&redemption(&code)[..], &[resource]].concat();
        lending.ask(&fields).await
    };
    assert_eq!(redeem(pos).await.json["error"], "invalid_target");
    let tokens = redeem(shopper).await;
    assert_eq!(claims(&tokens.access_token())["aud"], json!(shopper.1), "{}", tokens.text);
    let token = refresh_token(&tokens);
    assert_eq!(lending.refresh(&token, &[pos]).await.json["error"], "invalid_target");
    assert_eq!(lending.refresh(&token, &[shopper]).await.status, StatusCode::OK);
}

/// attacks.md C5 105: a family ends when it is not used, and after so long however much it is.
#[tokio::test]
async fn a_refresh_token_ends_when_it_is_not_used_and_with_what_was_lent_in_any_case() {
    let lending = Lending::with("[tokens]\nrefresh_token_idle = '10 min'\ngrant = '25 min'").await;
    let clock = &lending.fixture.clock;
    let lent =
        async || refresh_token(&lending.redeem(&lending.code(&[("scope", "openid offline_access")]).await).await);
    let expired = "oauth2-refresh-token-expired";
    let first = lent().await;
    clock.advance_millis(599_999);
    let second = refresh_token(&lending.refresh(&first, &[]).await);
    clock.advance_millis(600_000);
    is_refused(&lending.refresh(&second, &[]).await, expired);

    let mut token = lent().await;
    for secs in [599, 599, 301] {
        clock.advance_secs(secs);
        token = refresh_token(&lending.refresh(&token, &[]).await);
    }
    clock.advance_secs(1);
    is_refused(&lending.refresh(&token, &[]).await, expired);
}

#[tokio::test]
async fn an_application_that_may_not_renew_is_given_nothing_to_renew_with() {
    let lending = Lending::new().await;
    let before = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, &json!({ "grant_types": ["authorization_code"] })).await;
    let answer = lending.redeem(&lending.code(&[]).await).await;
    assert_eq!((answer.status, &answer.json["refresh_token"]), (StatusCode::OK, &Value::Null), "{}", answer.text);
    assert_eq!(lending.refresh(&before, &[]).await.json["error"], "unauthorized_client");
    lending.fixture.made(Method::PATCH, &path, &json!({ "grant_types": ["refresh_token"] })).await;
    let code = [("grant_type", "authorization_code"), ("code", "x")];
    assert_eq!(lending.ask(&code).await.json["error"], "unauthorized_client");
}

/// The session that a code was given in ends by itself while the code is on its way.
#[tokio::test]
async fn a_code_of_a_session_that_is_over_is_void() {
    let lending = Lending::new().await;
    let lifetimes = json!({ "settings": { "session_idle_secs": 3600, "session_max_secs": 3600 } });
    lending.fixture.made(Method::PATCH, &format!("/tenants/{}", lending.tenant_id), &lifetimes).await;
    for (secs, is_good) in [(3599, true), (3600, false)] {
        let cookie = lending.sign_in(&[Proof::Password]).await;
        lending.fixture.clock.advance_secs(3590);
        let back = Back::of(&lending.authorize_with(&cookie, &[("scope", "openid offline_access")]).await);
        lending.fixture.clock.advance_secs(secs - 3590);
        let answer = lending.redeem(back.get("code").expect("a code")).await;
        assert_eq!(answer.status == StatusCode::OK, is_good, "{secs}: {}", answer.text);
        assert!(is_good || answer.json["error"] == "invalid_grant", "{}", answer.text);
    }
}

#[tokio::test]
async fn what_is_lent_offline_outlives_the_session_and_the_rest_does_not() {
    let lending = Lending::new().await;
    let online = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    let code = lending.code(&[("scope", "openid offline_access shopper.read")]).await;
    let offline = refresh_token(&lending.redeem(&code).await);
    let unused = lending.code(&[]).await;
    let (now, until) = (lending.now(), lending.now().plus_secs(86_400));
    let all = ambit_core::store::sign_in::Sessions::OfUser(lending.user_id());
    lending.fixture.store.sign_ins().end_sessions(all, now, until).await.expect("ended");
    assert_eq!(lending.refresh(&online, &[]).await.json["error"], "invalid_grant");
    assert_eq!(lending.redeem(&unused).await.json["error"], "invalid_grant");
    assert_eq!(lending.refresh(&offline, &[]).await.status, StatusCode::OK);
}

/// attacks.md C5 99, 101: each kind of token is good for one thing.
#[tokio::test]
async fn no_token_is_taken_for_another() {
    let lending = Lending::new().await;
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let (access, refresh) = (tokens.access_token(), refresh_token(&tokens));
    let id_token = tokens.json["id_token"].as_str().expect("an ID token");
    for wrong in [refresh.as_str(), id_token, "x"] {
        let told = lending.fixture.userinfo("/tenants/acme/connect/userinfo", wrong).await;
        assert_eq!(told.status, StatusCode::UNAUTHORIZED, "{}", told.text);
        assert!(told.header(header::WWW_AUTHENTICATE).contains("invalid_token"));
        assert!(!lending.is_active(wrong).await);
    }
    for wrong in [access.as_str(), id_token] {
        is_refused(&lending.refresh(wrong, &[]).await, "oauth2-refresh-token-not-known");
    }
    // A service has no person, and none of this.
    let service = lending.ask(&[("grant_type", "client_credentials"), ("scope", "pos.read")]).await;
    assert!(service.json["refresh_token"].is_null() && service.json["id_token"].is_null(), "{}", service.text);
    let told = lending.fixture.userinfo("/tenants/acme/connect/userinfo", &service.access_token()).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
    // The right token at another issuer's door.
    assert_eq!(lending.fixture.userinfo("/connect/userinfo", &access).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_client_takes_its_refresh_token_back_and_everything_with_it() {
    let lending = Lending::new().await;
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let (access, refresh) = (tokens.access_token(), refresh_token(&tokens));
    let client = Some(("shop", lending.secret.as_str()));
    let answer = lending.fixture.form("/tenants/acme/connect/revoke", client, &[("token", &refresh)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    is_refused(&lending.refresh(&refresh, &[]).await, "oauth2-refresh-token-not-known");
    assert!(!lending.is_active(&access).await);
}

#[tokio::test]
async fn a_public_client_names_itself_and_proves_its_code_by_the_verifier() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let app = json!({
        "name": "App", "type": "spa", "level": "tenant", "tenant_id": lending.tenant_id, "client_id": "app",
        "allowed_scopes": ["openid", "shopper.read"], "redirect_uris": [CALLBACK], "consent": "trusted",
    });
    fixture.made(Method::POST, "/applications", &app).await;
    let code = lending.code(&[("client_id", "app"), ("scope", "openid shopper.read")]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let answer = fixture.form(TOKEN, None, &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    // attacks.md C1 9, C8 194: it has nothing to prove itself with where that is asked for.
    let with_secret = fixture.form(TOKEN, Some(("app", "a secret")), &fields[..1]).await;
    assert_eq!(with_secret.json["error"], "invalid_client");
    let service = fixture.form(TOKEN, None, &[("grant_type", "client_credentials"), ("client_id", "app")]).await;
    assert_eq!(service.json["error"], "unauthorized_client");
    let token = answer.access_token();
    let path = "/tenants/acme/connect/introspect";
    let told = fixture.form(path, None, &[("client_id", "app"), ("token", &token)]).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED, "{}", told.text);
    // A confidential one does not get by with its name.
    let named = fixture.form(TOKEN, None, &[("grant_type", "client_credentials"), ("client_id", "shop")]).await;
    assert_eq!(named.json["error"], "invalid_client");
}

/// scopes.md §6: a person's token is explained as it was decided.
#[tokio::test]
async fn why_a_persons_token_carries_what_it_carries_can_be_told_later() {
    let lending = Lending::new().await;
    let tokens = lending.redeem(&lending.code(&[("scope", "openid shopper.read pos.read")]).await).await;
    let jti = claims(&tokens.access_token())["jti"].clone();
    let application = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &application, &json!({ "allowed_scopes": ["openid"] })).await;
    let question = json!({ "question": "token", "jti": jti });
    let told = lending.fixture.made(Method::POST, "/explain", &question).await;
    let verdict = told["verdict"].as_str().expect("a verdict");
    assert!(verdict.contains("the token carries 'openid pos.read shopper.read'"), "{verdict}");
    assert!(!verdict.contains("report this"), "{verdict}");
}

/// attacks.md C16 333: while the clock is behind, nothing is issued that would be over, and nothing is used up.
#[tokio::test]
async fn a_clock_that_went_back_issues_nothing_that_was_lent_and_costs_nobody_what_they_have() {
    let lending = Lending::new().await;
    let clock = &lending.fixture.clock;
    let code = lending.code(&[]).await;
    let refused = |answer: &Answer| {
        let error = answer.json["error"].as_str().unwrap_or_default();
        assert_eq!(
            (answer.status, error),
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            "{}",
            answer.text
        );
    };
    lending.fixture.turn().await;
    clock.jump_secs(-301);
    lending.fixture.turn().await;
    refused(&lending.redeem(&code).await);
    clock.jump_secs(301);
    lending.fixture.turn().await;
    let token = refresh_token(&lending.redeem(&code).await);
    clock.jump_secs(-301);
    lending.fixture.turn().await;
    refused(&lending.refresh(&token, &[]).await);
    clock.jump_secs(301);
    lending.fixture.turn().await;
    assert_eq!(lending.refresh(&token, &[]).await.status, StatusCode::OK);
}
