//! Pages for people. A page is a struct beside its handler and a template of the same name.

pub mod api_docs;
mod cacheable;
pub(crate) mod describe;
pub mod docs;
pub mod errors;
mod negotiate;

use ambit_core::page;
use askama::Template;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};

use crate::problem::Answer;
use crate::state::App;

/// A page as an answer.
pub(crate) fn page(html: String) -> Response {
    let mut response = Html(html).into_response();
    guard(response.headers_mut());
    response
}

/// The headers of a page: no script, no frame, nothing from elsewhere, and forms that lead nowhere else.
fn guard(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    );
    // Where nothing refers, a form says that it comes from nowhere (`Origin: null`), and could not be told from a stranger's.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// What a template makes; or the answer that says that it made nothing.
fn rendered(template: &impl Template) -> Result<String, Response> {
    template.render().map_err(|error| {
        // Only a formatter that fails makes a template fail, and ours write to memory.
        tracing::error!(%error, "a page could not be rendered");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// A list is at the path that ends with a slash; whoever leaves it out is shown the way.
pub async fn with_slash(uri: Uri) -> Redirect {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Redirect::permanent(&format!("{}/{query}", uri.path()))
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
