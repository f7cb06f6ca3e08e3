//! `GET /errors/` and `GET /errors/{domain}/{slug}`: where every `error_uri` and problem `type` of ours leads. HTML for people,
//! JSON for programs that ask for it (`Accept: application/json`, or `.json` behind the address).

use ambit_core::page::{self, Page};
use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::middleware::RequestContext;
use crate::problem::Answer;
use crate::state::App;

/// One error.
#[derive(Template)]
#[template(path = "errors/page.html")]
struct ErrorPage<'a> {
    page: &'a Page,
}

/// All errors.
#[derive(Template)]
#[template(path = "errors/index.html")]
struct ErrorIndex {
    pages: &'static [&'static Page],
}

/// The page of one error.
pub async fn show(
    State(app): State<App>,
    Path((domain, name)): Path<(String, String)>,
    axum::Extension(context): axum::Extension<RequestContext>,
    headers: HeaderMap,
) -> Response {
    let (name, json_asked) = match name.strip_suffix(".json") {
        Some(name) => (name.to_owned(), true),
        None => (name, accepts_json(&headers)),
    };
    let slug = format!("{domain}/{name}");
    let Some(page) = page::find(&slug) else {
        let answer = Answer::new(&app, context.trace_id, "/errors/");
        return answer.problem(&page::NOT_FOUND, "there is no such error; /errors/ lists all of them").into_response();
    };
    let response = if json_asked { Json(document(&app, page)).into_response() } else { html(&ErrorPage { page }) };
    cached(response)
}

/// The list of all errors.
pub async fn index(State(app): State<App>, headers: HeaderMap) -> Response {
    let response = if accepts_json(&headers) {
        let items: Vec<_> = page::PAGES.iter().map(|page| document(&app, page)).collect();
        Json(json!({ "items": items, "cursor": null })).into_response()
    } else {
        html(&ErrorIndex { pages: page::PAGES })
    };
    cached(response)
}

fn document(app: &App, page: &Page) -> serde_json::Value {
    json!({
        "id": page.slug,
        "url": format!("{}/errors/{}", app.base_url, page.slug),
        "title": page.title,
        "code": page.code,
        "status": page.status,
        "cause": page.cause,
        "fix": page.fix,
    })
}

fn html(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => super::page(html),
        // Only a formatter that fails makes a template fail, and ours write to memory.
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn cached(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("json") && !accept.contains("text/html")
}
