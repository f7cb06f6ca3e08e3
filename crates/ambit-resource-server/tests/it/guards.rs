//! Guards on routes: who gets through, what the handler learns, one guard behind another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambit_protocol::time::Timestamp;
use ambit_resource_server::{Good, Identity, ResourceServer, Standing, StandingCheck, VerifiedToken};
use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Method, Request, header};
use serde_json::json;

use crate::support::{API, ISSUER, Key, NOW, World, behind, call, claims, claims_with, request, send};

#[tokio::test]
async fn a_handler_learns_who_calls() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let handler = |identity: Identity| async move {
        assert_eq!(identity.issuer(), ISSUER);
        assert_eq!((identity.client_id(), identity.subject(), identity.is_service()), ("till-7", "alice", false));
        assert_eq!((identity.tenant_id(), identity.tenant_slug()), (Some("tnt_1"), Some("acme")));
        assert_eq!((identity.partner_id(), identity.unit_id()), (Some("prt_1"), Some("unt_1")));
        assert_eq!((identity.level(), identity.roles()), (Some("tenant"), &["clerk".to_owned()][..]));
        assert_eq!(identity.scopes().collect::<Vec<_>>(), ["pos.read", "openid"]);
        assert_eq!(identity.expires_at(), Timestamp::from_secs(NOW + 3600));
        assert_eq!(identity.claims().jti, "t1");
        assert_eq!(identity.token().verified().kid(), Some("k1"));
        assert!(identity.holds("pos.read") && identity.holds("pos:baskets:read"));
        assert!(!identity.holds("pos:receipts:read") && !identity.holds("pos.write"));
        assert!(identity.facts::<u8>().is_none());
        "seen"
    };
    let router = Router::new().route("/", get(handler).route_layer(api.require("pos:baskets:read")));
    let mut claims = claims("pos.read openid");
    for (claim, value) in [
        ("sub", json!("alice")),
        ("tenant_id", json!("tnt_1")),
        ("tenant_slug", json!("acme")),
        ("partner_id", json!("prt_1")),
        ("unit_id", json!("unt_1")),
        ("level", json!("tenant")),
        ("roles", json!(["clerk"])),
    ] {
        claims[claim] = value;
    }
    let answer = call(&router, &key.sign(&claims)).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "seen"));
}

#[tokio::test]
async fn a_handler_that_wants_an_identity_on_an_open_route_never_runs() {
    let router = Router::new().route("/", get(|_: Identity| async { "in" }));
    let answer = call(&router, "whatever").await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json, json!({"type": "about:blank", "title": "The server failed", "status": 500}));
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
}

#[tokio::test]
async fn an_optional_guard_lets_strangers_pass_and_bad_tokens_not() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let handler = |identity: Option<Identity>| async move {
        identity.map_or("nobody".to_owned(), |it| it.client_id().to_owned())
    };
    let router = Router::new().route("/", get(handler).route_layer(api.optional()));
    let stranger = || Request::get("/").body(Body::empty()).expect("a request");
    assert_eq!(send(&router, stranger()).await.text, "nobody");
    assert_eq!(call(&router, &key.token("")).await.text, "till-7");
    assert_eq!(call(&router, "garbage").await.status, 401);
    assert_eq!(call(&router, &key.sign(&claims_with("aud", json!("https://other.example")))).await.status, 401);
    let mut in_url = stranger();
    *in_url.uri_mut() = "/?access_token=x".parse().expect("a URL");
    assert_eq!(send(&router, in_url).await.status, 401, "who sends one means to use it");
}

#[tokio::test]
async fn nobody_is_somebody_because_of_an_outer_guard() {
    // The inner API's optional guard does not take over whom the outer API has let in.
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let (outer, inner) = (world.api(), world.api());
    let handler = |identity: Option<Identity>| async move { if identity.is_some() { "somebody" } else { "nobody" } };
    let router = Router::new()
        .route("/", get(handler).route_layer(inner.optional()))
        .layer(axum::middleware::map_request(|mut request: Request<Body>| async {
            request.headers_mut().remove(header::AUTHORIZATION);
            request
        }))
        .layer(outer.authenticated());
    assert_eq!(call(&router, &key.token("")).await.text, "nobody");
}

/// Counts how often it is asked.
#[derive(Debug, Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl Standing for Counted {
    fn check<'a>(&'a self, _: &'a VerifiedToken, _: Timestamp) -> StandingCheck<'a> {
        self.0.fetch_add(1, Ordering::SeqCst);
        StandingCheck::Now(Ok(Good::default().with_facts("looked up".to_owned())))
    }
}

#[tokio::test]
async fn of_two_guards_the_outer_one_verifies_and_both_require() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let verifier = world.verifier().issuer(ISSUER).build().expect("a verifier");
    let counted = Counted::default();
    let api = ResourceServer::over(verifier, API).standing(counted.clone()).build().expect("an API");
    let handler = |identity: Identity| async move { identity.facts::<String>().expect("facts").clone() };
    let router = Router::new().route("/", get(handler).route_layer(api.require("a"))).layer(api.require("b"));
    let answer = call(&router, &key.token("a b")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "looked up"));
    assert_eq!(counted.0.load(Ordering::SeqCst), 1, "nobody is looked up twice");
    for (carried, missing) in [("a", "b"), ("b", "a"), ("", "b")] {
        let refused = call(&router, &key.token(carried)).await;
        assert_eq!(refused.json["required"], json!([missing]), "{carried}: {}", refused.text);
    }
}

#[tokio::test]
async fn the_identity_of_one_api_opens_no_other() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let verifier = world.verifier().issuer(ISSUER).build().expect("a verifier");
    let other = ResourceServer::over(verifier, "https://other.example").build().expect("an API");
    let router = behind(other.require("a")).layer(world.api().require("a"));
    assert_eq!(call(&router, &key.token("a")).await.status, 401, "the inner one looks for itself");
    let both = key.sign(&{
        let mut claims = claims("a");
        claims["aud"] = json!([API, "https://other.example"]);
        claims
    });
    assert_eq!(call(&router, &both).await.status, 200);
}

#[tokio::test]
async fn a_guard_on_a_route_answers_405_for_methods_that_are_not_there_and_guards_head() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let router = Router::new()
        .route("/", get(|| async { "in" }).route_layer(api.require("a")))
        .route("/made", post(|body: String| async move { body }).route_layer(api.require("a")));
    let with = |method: Method, path: &str, token: &str| {
        let mut request = request(token);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("a path");
        request
    };
    assert_eq!(send(&router, with(Method::DELETE, "/", "garbage")).await.status, 405);
    assert_eq!(send(&router, with(Method::HEAD, "/", "garbage")).await.status, 401);
    assert_eq!(send(&router, with(Method::HEAD, "/", &key.token("b"))).await.status, 403);
    assert_eq!(send(&router, with(Method::HEAD, "/", &key.token("a"))).await.status, 200);
    let mut posted = with(Method::POST, "/made", &key.token("a"));
    *posted.body_mut() = Body::from("a basket");
    assert_eq!(send(&router, posted).await.text, "a basket", "the body is the handler's");
    assert_eq!(send(&router, with(Method::GET, "/nowhere", "garbage")).await.status, 404);
}
