//! What a refused client reads: status, challenge and problem, to the octet.

use ambit_protocol::challenge::ReceivedChallenge;
use ambit_protocol::metadata::ProtectedResourceMetadata;
use ambit_protocol::trace::TraceId;
use ambit_resource_server::{Denied, Holder, Issuer, ResourceServer, pages};
use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use http::{Method, Request, StatusCode, header};
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::{API, Answer, ISSUER, Key, World, behind, call, claims_with, request, send};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const RESOURCE_METADATA: &str = r#"resource_metadata="https://pos.example/.well-known/oauth-protected-resource""#;

fn bare() -> Request<Body> {
    traced(Request::get("/").body(Body::empty()).expect("a request"))
}

fn traced(mut request: Request<Body>) -> Request<Body> {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01").parse().expect("a header");
    request.headers_mut().insert("traceparent", parent);
    request
}

#[tokio::test]
async fn without_a_token_a_client_is_told_what_to_ask_for_and_no_error() {
    let api = World::new().api();
    let answer = send(&behind(api.require("pos:baskets:create")), bare()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // RFC 6750 §3.1: "SHOULD NOT include an error code or other error information".
    assert_eq!(answer.challenge(), format!(r#"Bearer scope="pos:baskets:create", {RESOURCE_METADATA}"#));
    assert_eq!(
        answer.json,
        json!({
            "type": "https://as.example/errors/api/missing-token",
            "title": "No token was sent",
            "status": 401,
            "detail": "send an access token: 'Authorization: Bearer TOKEN'",
            "instance": "/",
            "trace_id": TRACE,
        })
    );
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");

    let challenge = async |guard| send(&behind(guard), bare()).await.challenge().to_owned();
    assert_eq!(challenge(api.authenticated()).await, format!("Bearer {RESOURCE_METADATA}"));
    assert_eq!(challenge(api.require_any(["b", "a"])).await, format!(r#"Bearer scope="b", {RESOURCE_METADATA}"#));
    assert_eq!(challenge(api.require_all(["b", "a"])).await, format!(r#"Bearer scope="b a", {RESOURCE_METADATA}"#));
    let asking = api.require_any(["b", "a"]).asking_for(["a", "c"]).expect("scopes");
    assert_eq!(challenge(asking).await, format!(r#"Bearer scope="a c", {RESOURCE_METADATA}"#));
    // Another scheme is as good as none.
    let mut basic = bare();
    basic.headers_mut().insert(header::AUTHORIZATION, "Basic dGlsbDpzZWNyZXQ=".parse().expect("a header"));
    let answer = send(&behind(api.require("a")), basic).await;
    assert_eq!(answer.challenge(), format!(r#"Bearer scope="a", {RESOURCE_METADATA}"#));
}

#[tokio::test]
async fn a_bad_token_is_named_with_its_fault() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let router = behind(api.require("pos:baskets:create"));
    let expired = key.sign(&claims_with("exp", json!(1_700_000_000)));
    let answer = send(&router, traced(request(&expired))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.challenge(),
        format!(
            r#"Bearer error="invalid_token", scope="pos:baskets:create", error_description="the token expired at 2023-11-14T22:13:20Z", error_uri="https://as.example/errors/api/invalid-token", {RESOURCE_METADATA}"#
        )
    );
    assert_eq!(
        answer.json,
        json!({
            "type": "https://as.example/errors/api/invalid-token",
            "title": "The token is not good",
            "status": 401,
            "detail": "the token expired at 2023-11-14T22:13:20Z",
            "instance": "/",
            "trace_id": TRACE,
        })
    );
}

#[tokio::test]
async fn a_token_that_holds_too_little_is_told_which_scope() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let router = behind(api.require("pos:baskets:create"));
    let answer = send(&router, traced(request(&key.token("pos.read openid")))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let detail = "the token does not hold scope 'pos:baskets:create', which this endpoint requires";
    assert_eq!(
        answer.challenge(),
        format!(
            r#"Bearer error="insufficient_scope", scope="pos:baskets:create", error_description="{detail}", error_uri="https://as.example/errors/api/insufficient-scope", {RESOURCE_METADATA}"#
        )
    );
    assert_eq!(
        answer.json,
        json!({
            "type": "https://as.example/errors/api/insufficient-scope",
            "title": "The token lacks the scope",
            "status": 403,
            "detail": detail,
            "instance": "/",
            "trace_id": TRACE,
            "required": ["pos:baskets:create"],
            "required_match": "all",
            "presented": "pos.read openid",
        })
    );
    let any = call(&behind(api.require_any(["a", "b"]).with_detail("Till needs a or b")), &key.token("")).await;
    assert_eq!(any.detail(), "Till needs a or b");
    assert_eq!((&any.json["required"], &any.json["required_match"]), (&json!(["a", "b"]), &json!("any")));
    assert_eq!(any.json["presented"], "");
    assert!(any.challenge().contains(r#"error_description="Till needs a or b""#), "{}", any.challenge());
}

#[tokio::test]
async fn a_client_reads_the_scope_out_of_the_challenge() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    // Whatever the API says in its own words, the header stays one.
    let guard = api.require("pos:baskets:create").with_detail("say \"please\"\r\nSet-Cookie: x=1 \u{e9}");
    let answer = call(&behind(guard), &key.token("")).await;
    assert_eq!(answer.headers.get_all(header::WWW_AUTHENTICATE).iter().count(), 1);
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
    let challenges = ReceivedChallenge::parse_all(answer.challenge()).expect("a challenge");
    assert_eq!(challenges[0].param("scope"), Some("pos:baskets:create"));
    assert_eq!(challenges[0].param("error"), Some("insufficient_scope"));
}

#[tokio::test]
async fn an_issuer_without_error_pages_is_credited_with_none() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let verifier = world.verifier().issuer(ISSUER).build().expect("a verifier");
    let api = ResourceServer::over(verifier.clone(), API).without_error_pages().build().expect("an API");
    let answer = call(&behind(api.require("a")), "garbage").await;
    assert_eq!(answer.json["type"], "about:blank");
    assert!(!answer.challenge().contains("error_uri"), "{}", answer.challenge());

    let elsewhere = ResourceServer::over(verifier, API).error_pages("https://docs.pos.example/errors");
    let answer = call(&behind(elsewhere.build().expect("an API").require("a")), "garbage").await;
    assert_eq!(answer.json["type"], "https://docs.pos.example/errors/api/invalid-token");

    // The pages of a tenant's issuer are the platform's.
    let tenant = Issuer::new("https://as.example/tenants/acme");
    let verifier = world.verifier().issuer(tenant).build().expect("a verifier");
    let api = ResourceServer::over(verifier, API).build().expect("an API");
    let answer = call(&behind(api.require("a")), "garbage").await;
    assert_eq!(answer.json["type"], "https://as.example/errors/api/invalid-token");
}

#[tokio::test]
async fn an_api_whose_identifier_is_no_address_names_its_realm() {
    let verifier = World::new().verifier().issuer(ISSUER).build().expect("a verifier");
    let api = ResourceServer::over(verifier.clone(), "urn:example:pos").build().expect("an API");
    let answer = send(&behind(api.require("a")), bare()).await;
    assert_eq!(answer.challenge(), r#"Bearer realm="urn:example:pos", scope="a""#);
    let url = "https://pos.example/metadata";
    let api = ResourceServer::over(verifier, "urn:example:pos").metadata_url(url).build().expect("an API");
    let answer = send(&behind(api.require("a")), bare()).await;
    assert_eq!(answer.challenge(), format!(r#"Bearer scope="a", resource_metadata="{url}""#));
}

/// How some program marks its requests.
#[derive(Clone)]
struct Mark(TraceId);

#[tokio::test]
async fn every_refusal_has_a_trace_the_programs_or_the_callers_or_a_new_one() {
    let verifier = World::new().verifier().issuer(ISSUER).build().expect("a verifier");
    let api = ResourceServer::over(verifier.clone(), API).build().expect("an API");
    let trace = |answer: &Answer| answer.json["trace_id"].as_str().expect("a trace").to_owned();
    let router = behind(api.require("a"));
    assert_eq!(trace(&send(&router, bare()).await), TRACE);
    let untraced = || Request::get("/").body(Body::empty()).expect("a request");
    let (first, second) = (trace(&send(&router, untraced()).await), trace(&send(&router, untraced()).await));
    assert!(first != second && first.len() == 32, "{first} {second}");
    // Not the caller's any more where it is none.
    let mut broken = untraced();
    broken.headers_mut().insert("traceparent", "00-xyz".parse().expect("a header"));
    assert_eq!(trace(&send(&router, broken).await).len(), 32);

    // The program knows better than the caller, by a `TraceId` or by a mark of its own.
    let own = TraceId::new([7; 16]).expect("a trace");
    let mut marked = bare();
    marked.extensions_mut().insert(own);
    assert_eq!(trace(&send(&router, marked).await), own.to_string());

    let api = ResourceServer::over(verifier, API)
        .trace_ids(|extensions| extensions.get::<Mark>().map(|mark| mark.0))
        .build()
        .expect("an API");
    let router = behind(api.require("a"));
    let mut marked = bare();
    marked.extensions_mut().insert(Mark(own));
    assert_eq!(trace(&send(&router, marked).await), own.to_string());
    assert_eq!(trace(&send(&router, bare()).await), TRACE, "where it says nothing, the caller's");
}

#[tokio::test]
async fn a_program_learns_what_was_refused_and_whose_token_it_was() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let denied = async |token: Option<&str>| {
        let request = token.map_or_else(bare, |token| traced(request(token)));
        let response = behind(api.require("a")).oneshot(request).await.expect("an answer");
        response.extensions().get::<Denied>().cloned()
    };
    let page = |denied: &Option<Denied>| denied.as_ref().map(|denied| denied.page);
    let missing = denied(None).await;
    assert_eq!(page(&missing), Some(pages::MISSING_TOKEN));
    assert_eq!(missing.expect("a denial").trace_id.expect("a trace").to_string(), TRACE);
    // Nobody is named by a token that was not verified.
    let forged = denied(Some(&Key::new("k1").token("a"))).await.expect("a denial");
    assert_eq!((forged.page, forged.holder), (pages::INVALID_TOKEN, None));
    let mut claims = claims_with("tenant_slug", json!("acme"));
    let holder = Holder { client_id: "till-7".to_owned(), tenant_slug: Some("acme".to_owned()) };
    let lacking = denied(Some(&key.sign(&claims))).await.expect("a denial");
    assert_eq!((lacking.page, lacking.holder.as_ref()), (pages::INSUFFICIENT_SCOPE, Some(&holder)));
    claims["aud"] = json!("https://other.example");
    let elsewhere = denied(Some(&key.sign(&claims))).await.expect("a denial");
    assert_eq!((elsewhere.page, elsewhere.holder.as_ref()), (pages::INVALID_TOKEN, Some(&holder)));
    assert_eq!(denied(Some(&key.token("a"))).await, None);
}

#[tokio::test]
async fn the_metadata_lists_exactly_what_the_routes_require() {
    let verifier = World::new().verifier().issuer(ISSUER).build().expect("a verifier");
    let api = ResourceServer::over(verifier, "https://pos.example/v1")
        .name("POS API")
        .documentation("https://pos.example/docs")
        .build()
        .expect("an API");
    assert_eq!(api.metadata().scopes_supported, Vec::<String>::new());
    let routes = Router::new()
        .route("/a", get(|| async {}).route_layer(api.require("pos:baskets:read")))
        .route("/b", get(|| async {}).route_layer(api.require_any(["pos:baskets:create", "pos.write"])))
        .route("/c", get(|| async {}).route_layer(api.require_all(["pos:baskets:read", "pos:receipts:read"])))
        // What a client is told to ask for is not what the route requires.
        .route("/d", get(|| async {}).route_layer(api.require("x:d").asking_for(["y"]).expect("scopes")))
        .route("/e", get(|| async {}).route_layer(api.authenticated()))
        .route("/f", get(|| async {}).route_layer(api.optional()))
        .merge(api.metadata_route());
    let path = "/.well-known/oauth-protected-resource/v1";
    assert_eq!(api.metadata_path(), path);
    let answer = send(&routes, Request::get(path).body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json,
        json!({
            "resource": "https://pos.example/v1",
            "authorization_servers": [ISSUER],
            "scopes_supported":
                ["pos.write", "pos:baskets:create", "pos:baskets:read", "pos:receipts:read", "x:d"],
            "bearer_methods_supported": ["header"],
            "resource_name": "POS API",
            "resource_documentation": "https://pos.example/docs",
        })
    );
    // RFC 9728 §3.3: whoever follows the challenge finds a document of exactly this resource.
    ProtectedResourceMetadata::parse(answer.text.as_bytes(), "https://pos.example/v1").expect("our own");
    let refused = send(&routes, Request::get("/a").body(Body::empty()).expect("a request")).await;
    assert!(refused.challenge().contains(&format!("resource_metadata=\"https://pos.example{path}\"")));
    // Every browser may read it, and nothing else.
    assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    assert_eq!(refused.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "");
    let post = Request::builder().method(Method::POST).uri(path).body(Body::empty()).expect("a request");
    assert_eq!(send(&routes, post).await.status, 405);
}

#[tokio::test]
async fn an_extension_that_says_so_is_no_identity() {
    // What an outer layer leaves among the extensions does not admit anybody.
    let api = World::new().api();
    let router = behind(api.require("a")).layer(Extension(TraceId::new([7; 16]).expect("a trace")));
    assert_eq!(send(&router, bare()).await.status, 401);
}
