//! Hooks: how those behind a token stand, which of its scopes still count, and why one is missing.

use std::borrow::Cow;
use std::time::Duration;

use ambit_protocol::explain::{Explanation, Fix};
use ambit_protocol::time::Timestamp;
use ambit_resource_server::{
    BoxFuture, Explain, Good, Identity, NotGood, ResourceServer, ResourceServerBuilder, Shortfall, Standing,
    StandingCheck, VerifiedToken, Withdrawn,
};
use axum::Router;
use axum::routing::get;
use http::header;
use serde_json::json;

use crate::support::{API, ISSUER, Key, World, behind, call, claims};

/// Stands as the token's `tenant_slug` says; at once, or after a while.
#[derive(Debug)]
struct BySlug {
    at_once: bool,
}

impl Standing for BySlug {
    fn check<'a>(&'a self, token: &'a VerifiedToken, _: Timestamp) -> StandingCheck<'a> {
        let answer =
            match token.claims().tenant_slug.as_deref().unwrap_or_default() {
                "good" => Ok(Good::default()),
                "grace" => Ok(Good::default().with_warning("tenant 'grace' is in its \"grace\" period")),
                "narrowed" => Ok(Good::default()
                    .counting_only(["pos.read", "never:carried"].map(|name| name.parse().expect("a scope")))),
                "suspended" => Err(NotGood::TenantSuspended("tenant 'suspended' is suspended".into())),
                "churned" => Err(NotGood::TenantChurned("tenant 'churned' is churned".into())),
                "partner" => Err(NotGood::PartnerSuspended("the partner is suspended".into())),
                "client" => Err(NotGood::Token(Withdrawn::Client)),
                _ => Err(NotGood::Unavailable("secret: the database is away".into())),
            };
        if self.at_once {
            StandingCheck::Now(answer)
        } else {
            StandingCheck::Later(Box::pin(async move {
                tokio::task::yield_now().await;
                answer
            }))
        }
    }
}

fn api(key: &Key) -> ResourceServerBuilder {
    let verifier = World::with(&[key]).verifier().issuer(ISSUER).build().expect("a verifier");
    ResourceServer::over(verifier, API)
}

fn of_tenant(key: &Key, slug: &str, scope: &str) -> String {
    let mut claims = claims(scope);
    claims["tenant_slug"] = json!(slug);
    key.sign(&claims)
}

#[tokio::test]
async fn those_behind_a_token_come_in_as_they_stand() {
    let key = Key::new("k1");
    for at_once in [true, false] {
        let api = api(&key).standing(BySlug { at_once }).build().expect("an API");
        let router = behind(api.require("a"));
        for (slug, status, page, detail) in [
            ("suspended", 402, "tenant/suspended", "tenant 'suspended' is suspended"),
            ("churned", 403, "tenant/churned", "tenant 'churned' is churned"),
            ("partner", 403, "tenant/partner-suspended", "the partner is suspended"),
            ("client", 401, "api/invalid-token", "the client that the token was issued to is disabled or gone"),
            (
                "unknown",
                503,
                "api/temporarily-unavailable",
                "it cannot be told now whether the token may be used; try again later",
            ),
        ] {
            let answer = call(&router, &of_tenant(&key, slug, "a")).await;
            assert_eq!(answer.status, status, "{slug}: {}", answer.text);
            assert_eq!(answer.json["type"], format!("https://as.example/errors/{page}"));
            assert_eq!(answer.detail(), detail);
            // Only a bad token is challenged: another one of the same tenant would do no better.
            assert_eq!(answer.challenge().is_empty(), status != 401, "{slug}: {}", answer.challenge());
        }
        let good = call(&router, &of_tenant(&key, "good", "a")).await;
        assert_eq!((good.status.as_u16(), good.header(header::WARNING)), (200, ""));
        let grace = call(&router, &of_tenant(&key, "grace", "a")).await;
        assert_eq!(grace.status, 200);
        assert_eq!(grace.header(header::WARNING), "299 - \"tenant 'grace' is in its 'grace' period\"");
        // The standing comes before the scope: who may not come in learns nothing about the route.
        assert_eq!(call(&router, &of_tenant(&key, "suspended", "b")).await.status, 402);
    }
}

#[tokio::test]
async fn scopes_that_no_longer_count_open_nothing_and_none_is_won() {
    let key = Key::new("k1");
    for at_once in [true, false] {
        let api = api(&key).standing(BySlug { at_once }).build().expect("an API");
        let carried = "pos.read pos.write openid";
        for (required, status) in [
            ("pos.read", 200),
            ("pos:baskets:read", 200),
            // Carried, and not counted any more: neither itself nor through its bundle.
            ("pos.write", 403),
            ("pos:baskets:create", 403),
            // Counted, and never carried.
            ("never:carried", 403),
        ] {
            let narrowed = call(&behind(api.require(required)), &of_tenant(&key, "narrowed", carried)).await;
            assert_eq!(narrowed.status, status, "{required}: {}", narrowed.text);
            let whole = call(&behind(api.require(required)), &of_tenant(&key, "good", carried)).await;
            assert_eq!(whole.status == 200, required != "never:carried", "{required}: {}", whole.text);
        }
        let refused = call(&behind(api.require("pos.write")), &of_tenant(&key, "narrowed", carried)).await;
        assert_eq!(refused.json["presented"], carried, "what the client presented is what its token says");

        let handler = |identity: Identity| async move {
            let scopes: Vec<&str> = identity.scopes().collect();
            format!("{scopes:?} {} {}", identity.holds("pos:baskets:read"), identity.holds("pos:baskets:create"))
        };
        let router = Router::new().route("/", get(handler).route_layer(api.authenticated()));
        let answer = call(&router, &of_tenant(&key, "narrowed", carried)).await;
        assert_eq!(answer.text, r#"["pos.read"] true false"#);
    }
}

/// Explains with what the standing looked up, or not at all, or too late.
#[derive(Debug)]
struct Told;

impl Explain for Told {
    fn detail(&self, shortfall: &Shortfall) -> Option<Cow<'static, str>> {
        let plan = shortfall.identity.facts::<&'static str>()?;
        Some(format!("the {plan} plan has no scope '{}'", shortfall.requirement.ask_for()).into())
    }

    fn explain<'a>(&'a self, shortfall: &'a Shortfall) -> BoxFuture<'a, Option<Explanation>> {
        Box::pin(async move {
            match shortfall.identity.tenant_slug() {
                Some("silent") => return None,
                Some("slow") => std::future::pending().await,
                _ => {}
            }
            Some(Explanation {
                verdict: format!(
                    "{} {} is not for {}",
                    shortfall.method,
                    shortfall.path,
                    shortfall.identity.client_id()
                ),
                because: vec![],
                fix: Vec::<Fix>::new(),
                decision: None,
                page: None,
            })
        })
    }
}

#[derive(Debug)]
struct Plans;

impl Standing for Plans {
    fn check<'a>(&'a self, token: &'a VerifiedToken, _: Timestamp) -> StandingCheck<'a> {
        let good = Good::default();
        let has_plan = token.claims().tenant_slug.as_deref() == Some("acme");
        StandingCheck::Now(Ok(if has_plan { good.with_facts("bronze") } else { good }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_why_in_its_own_words_and_waits_a_second_for_them() {
    let key = Key::new("k1");
    let api = api(&key).standing(Plans).explain(Told).build().expect("an API");
    let router = behind(api.require("a"));
    let refused = call(&router, &of_tenant(&key, "acme", "b")).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.detail(), "the bronze plan has no scope 'a'");
    assert!(refused.challenge().contains(r#"error_description="the bronze plan has no scope 'a'""#));
    assert_eq!(refused.json["why"]["verdict"], "GET / is not for till-7");

    let usual = "the token does not hold scope 'a', which this endpoint requires";
    let silent = call(&router, &of_tenant(&key, "silent", "b")).await;
    assert_eq!((silent.status.as_u16(), silent.detail(), silent.json.get("why")), (403, usual, None));
    let slow = of_tenant(&key, "slow", "b");
    let slow = tokio::time::timeout(Duration::from_millis(1_001), call(&router, &slow)).await;
    let slow = slow.expect("a second, and no more");
    assert_eq!((slow.status.as_u16(), slow.detail(), slow.json.get("why")), (403, usual, None));
    assert_eq!(call(&router, &of_tenant(&key, "acme", "a")).await.status, 200);
}

#[tokio::test]
async fn the_scope_or_the_audience_is_looked_at_first_and_both_are_required() {
    let key = Key::new("k1");
    let elsewhere = |scope: &str| {
        let mut claims = claims(scope);
        claims["aud"] = json!("https://other.example");
        key.sign(&claims)
    };
    let usual = api(&key).build().expect("an API");
    for explained in [false, true] {
        let scopes_first = api(&key).scopes_before_audience();
        let scopes_first = if explained { scopes_first.explain(Told) } else { scopes_first };
        let scopes_first = scopes_first.build().expect("an API");
        for (api, token, status) in [
            (&usual, elsewhere("b"), 401),
            (&usual, elsewhere("a"), 401),
            (&usual, key.token("b"), 403),
            (&usual, key.token("a"), 200),
            (&scopes_first, elsewhere("b"), 403),
            (&scopes_first, elsewhere("a"), 401),
            (&scopes_first, key.token("b"), 403),
            (&scopes_first, key.token("a"), 200),
        ] {
            let answer = call(&behind(api.require("a")), &token).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
        // Where no scope is required there is none to look at first.
        assert_eq!(call(&behind(scopes_first.authenticated()), &elsewhere("a")).await.status, 401);
        assert_eq!(call(&behind(scopes_first.optional()), &elsewhere("a")).await.status, 401);
    }
}

#[tokio::test]
async fn the_audience_is_required_of_those_who_had_to_wait_as_well() {
    let key = Key::new("k1");
    let api = api(&key).standing(BySlug { at_once: false }).scopes_before_audience().build().expect("an API");
    let mut claims = claims("a");
    claims["tenant_slug"] = json!("good");
    assert_eq!(call(&behind(api.require("a")), &key.sign(&claims)).await.status, 200);
    claims["aud"] = json!("https://other.example");
    assert_eq!(call(&behind(api.require("a")), &key.sign(&claims)).await.status, 401);
}
