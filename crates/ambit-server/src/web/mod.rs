//! Pages for people. A page is a struct beside its handler and a template of the same name.

pub mod api_docs;
pub mod errors;

use ambit_core::page;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};

use crate::problem::Answer;
use crate::state::App;

/// A page as an answer: no script, no frame, nothing from elsewhere.
pub(crate) fn page(html: String) -> Response {
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A path that the table of routes does not have.
pub async fn not_found(State(app): State<App>, parts: Parts) -> Response {
    Answer::of(&parts, &app).problem(&page::NOT_FOUND, "there is nothing at this path").into_response()
}

/// A method that the path does not have. Those it has are in `Allow`.
pub async fn method_not_allowed(State(app): State<App>, parts: Parts) -> Response {
    let detail = format!("this path does not take {}", parts.method);
    Answer::of(&parts, &app).problem(&page::METHOD_NOT_ALLOWED, &detail).into_response()
}
