//! What a renewal needs beside a refresh token that is good: a session that goes on, and a request that can be read.

use ambit_core::store::sign_in::Grants;
use axum::http::StatusCode;
use serde_json::json;

use super::lending::{Lending, is_refused, refresh_token};
use crate::support::claims;

/// attacks.md C5 98: before anything has cleared it away as well.
#[tokio::test]
async fn what_is_lent_in_a_session_is_renewed_until_the_session_is_over_by_itself() {
    let lending = Lending::new().await;
    let clock = &lending.fixture.clock;
    let code = lending.code(&[("scope", "openid offline_access shopper.read")]).await;
    let offline = refresh_token(&lending.redeem(&code).await);
    let first = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    let session = lending.fixture.store.sign_ins().sessions_of(lending.user_id()).await.expect("sessions").remove(0);
    clock.advance_millis(session.expires_at.millis() - lending.now().millis() - 1);
    let answer = lending.refresh(&first, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    clock.advance_millis(1);
    is_refused(&lending.refresh(&refresh_token(&answer), &[]).await, "oauth2-refresh-token-not-known");
    // The one before it, within the time in which a client may repeat itself.
    is_refused(&lending.refresh(&first, &[]).await, "oauth2-refresh-token-not-known");
    assert_eq!(lending.refresh(&offline, &[]).await.status, StatusCode::OK, "it outlives the session");
}

/// attacks.md C5 98, at once: nothing is issued of what has ended.
#[tokio::test]
async fn what_is_ended_while_it_is_renewed_is_not_renewed() {
    let (lending, store) = Lending::held_up().await;
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let token = refresh_token(&tokens);
    let renewed = store
        .meanwhile("rotate_refresh_token", lending.refresh(&token, &[]), async || {
            let now = lending.now();
            let all = Grants::OfUser(lending.user_id());
            lending.fixture.store.sign_ins().end_grants(all, now, now.plus_secs(86_400)).await.expect("ended");
        })
        .await;
    is_refused(&renewed, "oauth2-refresh-token-not-known");
}

/// attacks.md C5 102 (RFC 8707 §2.2): what was named to begin with counts where nothing is named later, even where no scope
/// belongs to it.
#[tokio::test]
async fn what_was_lent_for_one_api_stays_for_it_where_none_is_named() {
    let lending = Lending::new().await;
    let api = "https://api.retail.example/shopper";
    for scope in ["openid", "openid shopper.read"] {
        let code = lending.code(&[("scope", scope), ("resource", api)]).await;
        let tokens = lending.redeem(&code).await;
        let renewed = lending.refresh(&refresh_token(&tokens), &[]).await;
        let less = lending.refresh(&refresh_token(&renewed), &[("scope", "openid")]).await;
        for (answer, scope) in [(&tokens, scope), (&renewed, scope), (&less, "openid")] {
            let access = claims(&answer.access_token());
            assert_eq!((&access["aud"], &access["scope"]), (&json!(api), &json!(scope)), "{access}");
        }
    }
}

/// attacks.md C5 107, C7 134, 141: what cannot be read is refused, and the refresh token is as good as before.
#[tokio::test]
async fn a_scope_that_cannot_be_read_is_refused_at_a_renewal_and_uses_nothing_up() {
    let lending = Lending::new().await;
    let token = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    let many = vec!["openid"; 1_000].join(" ");
    let long = "x".repeat(16 * 1024 + 1);
    for (scope, told) in [
        ("a\"b", "malformed"),
        ("openid a\\b", "malformed"),
        ("openid\tshopper.read", "malformed"),
        ("openid  shopper.read", "separate scopes by single spaces"),
        (" openid", "separate scopes by single spaces"),
        ("openid ", "separate scopes by single spaces"),
        (" ", "separate scopes by single spaces"),
        ("openid\r\nshopper.read", "malformed"),
        ("openid\u{a0}shopper.read", "malformed"),
        ("{\"scope\":\"openid\"}", "malformed"),
        (&many, "more than 512 scopes"),
        (&long, "longer than 16384 bytes"),
    ] {
        let answer = lending.refresh(&token, &[("scope", scope)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert_eq!(answer.json["error"], "invalid_scope", "{}", answer.text);
        assert!(answer.text.contains(told), "{scope:?}: {}", answer.text);
    }
    lending.fixture.clock.advance_millis(10_001);
    let answer = lending.refresh(&token, &[]).await;
    assert_eq!(answer.json["scope"], "openid profile shopper.read", "{}", answer.text);
}
