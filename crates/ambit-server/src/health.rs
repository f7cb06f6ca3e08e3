//! `/healthz`: the process is up. `/readyz`: it can do its work. Neither waits for a place, and neither needs a token.
//!
//! Before the server is built nothing answers at all. From then on it is ready while its store answers and its facts are those of
//! now, until it is told to stop: then it says so at once, so that nobody sends it more while it finishes what is at work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ambit_core::registry::builtin;
use ambit_core::store::Store;
use ambit_protocol::time::Timestamp;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::sync::Mutex;

use crate::state::App;

/// Whether the server can do its work.
#[derive(Debug, Default)]
pub struct Health {
    stopping: AtomicBool,
    is_another: AtomicBool,
    store: Mutex<Option<Checked>>,
}

/// What the store said, and when. Whoever asks again within a moment is told the same: asking in a loop costs the store nothing.
#[derive(Debug, Clone, Copy)]
struct Checked {
    at: Timestamp,
    answers: bool,
}

impl Health {
    /// The server was told to stop.
    pub fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Says so where the catalogue has come to have the admin API under the public URL of another node: tokens for that are none for
    /// this one. Once, and once more when it is over.
    pub(crate) fn see_public_url(&self, app: &App) {
        let own = app.admin_api_identifier();
        let snapshot = app.registry.snapshot();
        let stored = builtin::admin_api_identifier(&snapshot.catalogue);
        let is_another = stored.is_some_and(|stored| stored.as_str() != own);
        if self.is_another.swap(is_another, Ordering::Relaxed) == is_another {
            return;
        }
        if let Some(stored) = stored.filter(|_| is_another) {
            tracing::error!(
                %stored,
                own,
                "another node runs on this store with another public_url: every call of the admin API is refused here until all \
                 nodes have the same and were started again"
            );
        } else {
            tracing::info!(own, "the store has the public URL of this node again");
        }
    }

    /// Whether the store answers, looked at no more often than once in a second.
    async fn store_answers(&self, store: &dyn Store, now: Timestamp) -> bool {
        let mut last = self.store.lock().await;
        if let Some(checked) = last.filter(|checked| (checked.at..checked.at + CHECK_EVERY).contains(&now)) {
            return checked.answers;
        }
        let answers = match tokio::time::timeout(CHECK_PATIENCE, store.check()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "not ready: the store does not answer");
                false
            }
            Err(_) => {
                tracing::warn!("not ready: the store takes too long to answer");
                false
            }
        };
        *last = Some(Checked { at: now, answers });
        answers
    }
}

/// The process is up.
pub async fn alive() -> Response {
    Json(json!({ "status": "up" })).into_response()
}

/// The server is not stopping, the store answers, and the facts in memory are those of now.
pub async fn ready(State(app): State<App>) -> Response {
    let now = app.clock.now();
    let missing = if app.health.stopping.load(Ordering::Relaxed) {
        Some("the server is stopping")
    } else if !app.health.store_answers(&*app.store, now).await {
        Some("the store does not answer")
    } else if app.registry.age_millis() > OLDEST_FACTS_MILLIS {
        Some("changes made elsewhere have not been read for too long")
    } else if app.settled.behind(now).is_some() {
        Some("the clock has gone back")
    } else {
        None
    };
    let revision = app.registry.snapshot().revision;
    let (status, body) = match missing {
        None => (StatusCode::OK, json!({ "status": "ready", "revision": revision })),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "not ready", "reason": reason, "revision": revision }))
        }
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

const CHECK_EVERY: Duration = Duration::from_secs(1);
const CHECK_PATIENCE: Duration = Duration::from_secs(2);

/// Forty turns of the job that reads them.
const OLDEST_FACTS_MILLIS: i64 = 10_000;
