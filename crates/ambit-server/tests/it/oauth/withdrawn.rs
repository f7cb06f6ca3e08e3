//! What was lent and is no longer to be had, at the token endpoint: by which scope, which resource, and in which moment.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::lending::{Lending, is_refused, redemption, refresh_token};
use crate::support::claims;

const SHOPPER: (&str, &str) = ("resource", "https://api.retail.example/shopper");
const POS: (&str, &str) = ("resource", "https://api.retail.example/pos");

impl Lending {
    async fn allow(&self, scopes: &[&str]) {
        let path = format!("/applications/{}", self.application["id"].as_str().expect("an id"));
        self.fixture.made(Method::PATCH, &path, &json!({ "allowed_scopes": scopes })).await;
    }
}

/// attacks.md C5 95, C7 153: by `offline_access` alone it outlives its session, so without it nothing is left to renew.
#[tokio::test]
async fn what_was_lent_offline_is_renewed_for_as_long_as_it_may_be_offline() {
    let lending = Lending::new().await;
    let lent = async |scope| refresh_token(&lending.redeem(&lending.code(&[("scope", scope)]).await).await);
    let mut offline = lent("openid offline_access shopper.read").await;
    let mut online = lent("openid shopper.read").await;
    let all = ["openid", "offline_access", "shopper.read"];
    let mut is_renewed = async |expected: bool| {
        let answer = lending.refresh(&online, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "what ends with its session goes on: {}", answer.text);
        online = refresh_token(&answer);
        // Whether it is asked for this time or not.
        for own in [&[][..], &[("scope", "openid shopper.read")], &[SHOPPER]] {
            let answer = lending.refresh(&offline, own).await;
            if expected {
                assert_eq!(answer.status, StatusCode::OK, "{own:?} {}", answer.text);
                offline = refresh_token(&answer);
            } else {
                is_refused(&answer, "oauth2-invalid-grant");
            }
        }
    };
    is_renewed(true).await;
    lending.allow(&["openid", "shopper.read"]).await;
    is_renewed(false).await;
    lending.allow(&all).await;
    is_renewed(true).await;
    lending.consent("openid shopper.read").await;
    is_renewed(false).await;
    lending.consent(&all.join(" ")).await;
    is_renewed(true).await;
}

/// attacks.md C7 151, 154 and scopes.md §2: "a gated scope is therefore never implied by a bundle", lent as it may be. A trusted
/// application's person is asked for no consent that would stop it.
#[tokio::test]
async fn what_is_behind_a_gate_that_opened_since_was_not_lent_with_its_bundle() {
    let lending = Lending::new().await;
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    lending.fixture.made(Method::PATCH, &path, &json!({ "consent": "trusted" })).await;
    let lent = async || lending.redeem(&lending.code(&[("scope", "openid pos.read")]).await).await;
    let before = lent().await;
    assert_eq!(before.json["scope"], "openid pos.read", "{}", before.text);
    let path = format!("/tenants/{}/features/digital-receipts", lending.tenant_id);
    lending.fixture.made(Method::PUT, &path, &json!({ "enabled": true })).await;

    let mut token = refresh_token(&before);
    for (own, renewed) in [
        (&[][..], "openid pos.read"),
        (&[("scope", "pos.read")], "pos.read"),
        (&[("scope", "openid pos.read")], "openid pos.read"),
        (&[("scope", "pos:members:read"), POS], "pos:members:read"),
    ] {
        let answer = lending.refresh(&token, own).await;
        assert_eq!(
            (answer.status, &answer.json["scope"]),
            (StatusCode::OK, &json!(renewed)),
            "{own:?} {}",
            answer.text
        );
        token = refresh_token(&answer);
    }
    let answer = lending.refresh(&token, &[("scope", "pos:receipts:read")]).await;
    assert_eq!(answer.json["error_description"], "scope 'pos:receipts:read' beyond the original grant");
    assert_eq!((&answer.json["error"], answer.status), (&json!("invalid_scope"), StatusCode::BAD_REQUEST));

    // Lent now it is there, and may be left out and had again.
    let after = lent().await;
    assert_eq!(after.json["scope"], "openid pos.read pos:receipts:read", "{}", after.text);
    let less = lending.refresh(&refresh_token(&after), &[("scope", "openid")]).await;
    let again = lending.refresh(&refresh_token(&less), &[("scope", "pos.read")]).await;
    assert_eq!(again.json["scope"], "pos.read pos:receipts:read", "{}", again.text);
}

/// attacks.md C4 85: of what a person saw nothing may be missing a minute later, whichever part of it this token is for.
#[tokio::test]
async fn a_code_is_void_once_a_scope_of_it_is_whatever_resource_is_named() {
    let lending = Lending::new().await;
    let scope = ("scope", "openid shopper.read pos.read");
    let all = ["openid", "shopper.read", "pos.read"];
    let redeem = async |code: &str, own: &[(&str, &str)]| lending.ask(&[&redemption(code), own].concat()).await;
    for (asked, redeemed, granted) in [
        (&[scope][..], &[][..], "openid pos.read shopper.read"),
        (&[scope], &[SHOPPER], "openid shopper.read"),
        (&[scope, SHOPPER, POS], &[], "openid pos.read shopper.read"),
        (&[scope, SHOPPER, POS], &[POS], "openid pos.read"),
    ] {
        for gone in ["openid", "shopper.read", "pos.read"] {
            let code = lending.code(asked).await;
            let left: Vec<&str> = all.into_iter().filter(|name| *name != gone).collect();
            lending.allow(&left).await;
            is_refused(&redeem(&code, redeemed).await, "oauth2-invalid-grant");
            lending.allow(&all).await;
        }
        let answer = redeem(&lending.code(asked).await, redeemed).await;
        assert_eq!(answer.json["scope"], granted, "{asked:?} {redeemed:?} {}", answer.text);
        assert_eq!(claims(&answer.access_token())["scope"], granted);
    }
}
