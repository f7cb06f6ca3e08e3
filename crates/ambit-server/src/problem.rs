//! Problems (RFC 9457): how everything but the OAuth endpoints says what went wrong. Each has a page of ours as its type.

use ambit_core::page::{self, Page};
use ambit_core::store::StoreError;
use ambit_protocol::problem::Problem;
use ambit_protocol::trace::TraceId;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::middleware::RequestContext;
use crate::state::App;

/// What every problem of one request has in common.
#[derive(Debug, Clone)]
pub struct Answer {
    app: App,
    trace_id: TraceId,
    instance: String,
}

impl Answer {
    /// For a request, by its trace and its path. Never its query.
    #[must_use]
    pub fn new(app: &App, trace_id: TraceId, path: &str) -> Self {
        Self { app: app.clone(), trace_id, instance: path.to_owned() }
    }

    /// For a request that is being taken apart.
    #[must_use]
    pub fn of(parts: &Parts, app: &App) -> Self {
        Self::new(app, RequestContext::of(parts, app).trace_id, parts.uri.path())
    }

    /// A problem of a page.
    #[must_use]
    pub fn problem(&self, page: &Page, detail: &str) -> ProblemResponse {
        ProblemResponse(
            Problem::new(format!("{}/errors/{}", self.app.base_url, page.slug), page.title, page.status)
                .with_detail(detail)
                .with_instance(self.instance.clone())
                .with_trace_id(self.trace_id),
        )
    }

    /// A failure of the store: said in full to the log, and in one sentence to the caller.
    #[must_use]
    pub fn store_failure(&self, error: &StoreError) -> ProblemResponse {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(trace_id = %self.trace_id, %error, cause, "the store failed");
        match error {
            StoreError::Unavailable(_) => {
                self.problem(&page::UNAVAILABLE, "the server's storage does not answer; try again")
            }
            _ => self.problem(&page::SERVER_ERROR, "the server failed; the trace id names the log line"),
        }
    }
}

/// A problem as an answer.
#[derive(Debug)]
pub struct ProblemResponse(pub Problem);

impl ProblemResponse {
    /// Adds a fault of the body.
    #[must_use]
    pub fn with_error(self, pointer: &str, message: impl Into<String>) -> Self {
        Self(self.0.with_error(pointer, message))
    }

    /// Adds a member.
    #[must_use]
    pub fn with_extension(self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        Self(self.0.with_extension(name, value))
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
