//! `GET {issuer}/connect/jwks` and `/.well-known/jwks.json` (RFC 7517): next, active and retiring keys.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::issuer::Issuer;
use crate::state::App;

/// The key set. All issuers share it; a token is bound to its issuer by `iss`.
pub async fn jwks(State(app): State<App>, _issuer: Issuer, request: HeaderMap) -> Response {
    let snapshot = app.registry.snapshot();
    let document = snapshot.jwks();
    let mut response = if document.is_known(&request) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        document.body.clone().into_response()
    };
    // RFC 9110 §15.4.5: with 304 as well.
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    // The next key is published at least this long before it signs, so a cache knows it by then.
    let max_age = app.config.keys.publish_ahead.as_secs().min(MAX_AGE_SECS);
    if let Ok(value) = HeaderValue::try_from(format!("public, max-age={max_age}")) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ETAG, document.etag.clone());
    response
}

/// A key that is revoked goes out of caches this fast, and a set that changes twice in a quarter is asked for often enough.
const MAX_AGE_SECS: u64 = 300;
