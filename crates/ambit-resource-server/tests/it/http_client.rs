//! The real client, over loopback: what a server that answers badly can do to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ambit_protocol::time::Timestamp;
use ambit_resource_server::fetch::{Fetch as _, FetchError, FetchRequest, Fetched, HttpClient};
use ambit_resource_server::{Issuer, ResourceServer, TokenVerifier};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

use crate::support::{API, Key, NOW, behind, call, claims, key_set, metadata, scope};

/// Serves on a port of its own, and says where.
async fn serve(make: impl FnOnce(&str) -> Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let router = make(&base);
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

async fn fetch(url: &str, etag: Option<&str>, max_len: usize) -> Result<Fetched, FetchError> {
    let url = Url::parse(url).expect("an address");
    let request = FetchRequest { url, etag: etag.map(str::to_owned), max_len };
    HttpClient::new().expect("a client").get(&request).await
}

#[tokio::test]
async fn an_api_finds_keys_and_bundles_of_its_issuer_over_http() {
    let key = Key::new("k1");
    let set = key_set(&[&key]);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let issuer = serve(|base| {
        let document = metadata(base, &format!("{base}/connect/jwks"));
        let scopes = [scope("pos.read", &["pos:baskets:read"], None), scope("pos:baskets:read", &[], None)];
        let catalogue = json!({"issuer": base, "revision": 1, "scopes": scopes}).to_string();
        let keys = move |headers: HeaderMap| {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = if headers.get(header::IF_NONE_MATCH).is_some_and(|etag| etag == "\"1\"") {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                ([(header::ETAG, "\"1\""), (header::CACHE_CONTROL, "public, max-age=60")], set.clone()).into_response()
            };
            async move { answer }
        };
        Router::new()
            .route("/.well-known/oauth-authorization-server", get(|| async move { document }))
            .route("/.well-known/scope-catalogue", get(|| async move { catalogue }))
            .route("/connect/jwks", get(keys))
    })
    .await;
    let seconds = Arc::new(std::sync::atomic::AtomicI64::new(NOW));
    let clock = Arc::clone(&seconds);
    let verifier = TokenVerifier::builder()
        .issuer(issuer.as_str())
        .clock(move || Timestamp::from_secs(clock.load(Ordering::SeqCst)))
        .build()
        .expect("a verifier");
    verifier.warm_up().await;
    let api = ResourceServer::over(verifier, API).build().expect("an API");
    let router = behind(api.require("pos:baskets:read"));
    let mut claims = claims("pos.read");
    claims["iss"] = json!(issuer);
    let token = key.sign(&claims);
    assert_eq!(call(&router, &token).await.status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "warmed up, and not asked again");
    seconds.fetch_add(600, Ordering::SeqCst);
    assert_eq!(call(&router, &token).await.status, 200, "304: still the same");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let key = Key::new("k1");
    let set = key_set(&[&key]);
    let followed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&followed);
    let issuer = serve(|base| {
        let document = metadata(base, &format!("{base}/jwks"));
        Router::new()
            .route("/.well-known/oauth-authorization-server", get(|| async move { document }))
            .route("/jwks", get(|| async { Redirect::temporary("/elsewhere") }))
            .route(
                "/elsewhere",
                get(move || {
                    counted.fetch_add(1, Ordering::SeqCst);
                    async move { set }
                }),
            )
    })
    .await;
    let verifier = TokenVerifier::builder().issuer(Issuer::new(issuer.as_str()).without_catalogue());
    let verifier = verifier.clock(|| Timestamp::from_secs(NOW)).build().expect("a verifier");
    let mut claims = claims("a");
    claims["iss"] = json!(issuer);
    let api = ResourceServer::over(verifier, API).build().expect("an API");
    assert_eq!(call(&behind(api.authenticated()), &key.sign(&claims)).await.status, 503);
    assert_eq!(followed.load(Ordering::SeqCst), 0);
    // The control: the document behind it is good.
    assert!(matches!(fetch(&format!("{issuer}/elsewhere"), None, 10_000).await, Ok(Fetched::Document { .. })));
}

#[tokio::test]
async fn a_body_is_read_to_its_limit_and_no_further() {
    let base = serve(|_| {
        let endless = || async {
            let chunks = stream::repeat_with(|| Ok::<_, std::convert::Infallible>("x".repeat(1_000)));
            Response::new(Body::from_stream(chunks))
        };
        let echo = |request: Request| async move {
            let length = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or_default();
            "x".repeat(length)
        };
        Router::new().route("/endless", get(endless)).route("/", get(echo))
    })
    .await;
    let too_large = |result: Result<Fetched, FetchError>| matches!(result, Err(FetchError::TooLarge { .. }));
    assert!(too_large(fetch(&format!("{base}/endless"), None, 100_000).await));
    assert!(too_large(fetch(&format!("{base}/?1001"), None, 1_000).await), "announced, and not read at all");
    match fetch(&format!("{base}/?1000"), None, 1_000).await {
        Ok(Fetched::Document { body, .. }) => assert_eq!(body.len(), 1_000),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn statuses_headers_and_silence_are_told_apart() {
    let base = serve(|_| {
        let tagged = |headers: HeaderMap| async move {
            let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|etag| etag == "\"7\"");
            let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
            (status, [(header::ETAG, "\"7\""), (header::CACHE_CONTROL, "max-age=9")])
        };
        Router::new()
            .route("/tagged", get(tagged))
            .route("/gone", get(|| async { StatusCode::GONE }))
            .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
    })
    .await;
    let max_age = Some(Duration::from_secs(9));
    let document = Fetched::Document { body: bytes::Bytes::new(), etag: Some("\"7\"".to_owned()), max_age };
    assert_eq!(fetch(&format!("{base}/tagged"), None, 9).await, Ok(document));
    assert_eq!(fetch(&format!("{base}/tagged"), Some("\"7\""), 9).await, Ok(Fetched::NotModified { max_age }));
    for (path, status) in [("gone", 410), ("empty", 204), ("nowhere", 404)] {
        let url = format!("{base}/{path}");
        assert_eq!(fetch(&url, None, 9).await, Err(FetchError::Status { url: url.clone(), status }));
    }
    // Nobody listens there: the port was ours a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    assert!(matches!(fetch(&closed, None, 9).await, Err(FetchError::Unreachable { .. })));
}
