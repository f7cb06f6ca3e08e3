//! Which scripts in browsers may call the token, userinfo and revocation endpoints (the CORS protocol of the Fetch standard).
//!
//! 1. Before a request with a header such as `Authorization` a browser asks whether it may (`OPTIONS`). It names the origin of
//!    the script and no client: yes says that an application of this issuer has that origin among its `allowed_origins`.
//! 2. What a client is given is read by scripts of its own origins.
//! 3. Why something was refused is read by scripts of all applications of the issuer. A refusal comes before it is proven whose
//!    the request is, and no header follows from what a form or a token merely claims.
//!
//! No cookie counts at these endpoints, so `Access-Control-Allow-Credentials` is never sent. Documents that anybody may read say
//! `*` themselves. No other route lets a script in, and the authorization endpoint must not (RFC 9700 §2.6).

use ambit_core::page;
use ambit_protocol::admin::application::Application;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::issuer::Issuer;
use crate::logs::with_causes;
use crate::problem::Answer;
use crate::state::App;

/// Whether a script may call an endpoint that takes `POST` alone.
pub async fn preflight(State(app): State<App>, issuer: Issuer, parts: Parts) -> Response {
    asked(&app, &issuer, &parts, "POST").await
}

/// The same, of the userinfo endpoint.
pub async fn preflight_of_userinfo(State(app): State<App>, issuer: Issuer, parts: Parts) -> Response {
    asked(&app, &issuer, &parts, "GET, POST").await
}

async fn asked(app: &App, issuer: &Issuer, parts: &Parts, methods: &'static str) -> Response {
    let answer = Answer::of(parts, app);
    let mut response = match origin(&parts.headers) {
        // RFC 9110 §9.3.7: whoever is no script asks what the path takes.
        None => (StatusCode::NO_CONTENT, [(header::ALLOW, format!("OPTIONS, {methods}"))]).into_response(),
        Some(origin) => match app.registry.has_script_origin(issuer.tenant(), origin).await {
            Ok(true) => {
                let mut response = StatusCode::NO_CONTENT.into_response();
                let headers = response.headers_mut();
                headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENT));
                headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECS));
                allow(headers, &parts.headers);
                response
            }
            Ok(false) => {
                let detail = "no application of this issuer has this origin among its allowed_origins";
                answer.problem(&page::FORBIDDEN, detail).into_response()
            }
            Err(error) => answer.store_failure(&error).into_response(),
        },
    };
    depend(&mut response);
    response
}

/// Lets scripts of the client's own origins read what it was given.
pub(super) fn let_own_read(response: &mut Response, request: &HeaderMap, client: &Application) {
    if origin(request).is_some_and(|origin| client.allowed_origins.iter().any(|own| own.matches(origin))) {
        allow(response.headers_mut(), request);
    }
    depend(response);
}

/// Lets scripts of all applications of the issuer read why something was refused.
pub(super) async fn let_all_read(response: &mut Response, request: &HeaderMap, app: &App, issuer: &Issuer) {
    if let Some(origin) = origin(request) {
        match app.registry.has_script_origin(issuer.tenant(), origin).await {
            Ok(true) => allow(response.headers_mut(), request),
            Ok(false) => {}
            // The refusal stands; a script does not learn why.
            Err(error) => {
                tracing::warn!(error = with_causes(&error), "whose origin a script has could not be looked up");
            }
        }
    }
    depend(response);
}

/// Of which origin the script is. RFC 6454 §7.3: there is one such header, or none that counts.
fn origin(request: &HeaderMap) -> Option<&[u8]> {
    let mut values = request.get_all(header::ORIGIN).iter();
    match (values.next(), values.next()) {
        (Some(origin), None) => Some(origin.as_bytes()),
        _ => None,
    }
}

/// The origin that asked was compared as a whole with a registered one: it is sent back as it came.
fn allow(headers: &mut HeaderMap, request: &HeaderMap) {
    if let Some(origin) = request.get(header::ORIGIN) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
}

/// Another origin gets another answer, and no cache may mix them up.
fn depend(response: &mut Response) {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
}

/// The headers a script may send beside those that all may.
const SENT: &str = "authorization, content-type, traceparent";
/// The headers it may read beside those that all may.
const READ: &str = "retry-after, trace-id, warning, www-authenticate";
/// An origin that is taken back is out of every browser's memory this soon.
const MAX_AGE_SECS: &str = "600";
