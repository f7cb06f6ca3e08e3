//! `/healthz`: the process is up. `/readyz`: it can do its work. Neither waits for a place, and neither needs a token.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::state::App;

/// The process is up.
pub async fn alive() -> Response {
    Json(json!({ "status": "up" })).into_response()
}

/// The store answers, and the facts in memory are those of now.
pub async fn ready(State(app): State<App>) -> Response {
    let revision = app.registry.snapshot().revision;
    match app.store.check().await {
        Ok(()) => Json(json!({ "status": "ready", "revision": revision })).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready: the store does not answer");
            let body = json!({ "status": "not ready", "reason": "the store does not answer", "revision": revision });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
