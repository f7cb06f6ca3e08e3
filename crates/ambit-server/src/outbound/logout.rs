//! Clients that are told that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ambit_protocol::outbound_uri::OutboundUri;
use reqwest::redirect::Policy;
use tokio::sync::OnceCell;

use super::{Guard, shown};
use crate::config::Outbound;
use crate::logs::with_causes;

/// Calls clients within the limits.
#[derive(Debug)]
pub struct LogoutCalls {
    /// Made when it is first needed, as the other one is.
    http: OnceCell<reqwest::Client>,
    guard: Arc<Guard>,
    timeout: Duration,
    counts: Told,
}

/// How calls ended.
#[derive(Debug, Default)]
pub struct Told {
    /// The client has taken note.
    pub told: AtomicU64,
    /// It has not, this time.
    pub failed: AtomicU64,
    /// It has not, and is not called again.
    pub given_up: AtomicU64,
}

/// Why a client has not taken note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// It cannot be called, now or ever.
    #[error("{uri} cannot be called: {reason}")]
    Unreachable {
        /// Where.
        uri: String,
        /// Why.
        reason: String,
    },
    /// It answers something else than that it has taken note.
    #[error("{uri} answers {status}")]
    Status {
        /// Where.
        uri: String,
        /// What.
        status: u16,
    },
}

impl LogoutCalls {
    /// With the limits of the configuration. Nothing is called yet.
    pub(crate) fn new(config: &Outbound, guard: Arc<Guard>) -> Self {
        Self { http: OnceCell::new(), guard, timeout: config.timeout, counts: Told::default() }
    }

    /// How calls ended since the start.
    #[must_use]
    pub const fn told(&self) -> &Told {
        &self.counts
    }

    /// Hands a client a logout token. What it answers beside the status is not read: nothing of it is of use here.
    pub(crate) async fn tell(&self, uri: &OutboundUri, logout_token: &str) -> Result<(), Untold> {
        let told = self.call(uri, logout_token).await;
        if told.is_ok() { &self.counts.told } else { &self.counts.failed }.fetch_add(1, Ordering::Relaxed);
        told
    }

    async fn call(&self, uri: &OutboundUri, logout_token: &str) -> Result<(), Untold> {
        let unreachable = |reason: String| Untold::Unreachable { uri: shown(uri), reason };
        self.guard.check(uri).map_err(|reason| unreachable(reason.to_owned()))?;
        let http = self.http.get_or_try_init(|| self.client()).await.map_err(unreachable)?;
        let sent = http.post(uri.url().clone()).form(&[("logout_token", logout_token)]).send().await;
        let status = sent.map_err(|error| unreachable(with_causes(&error.without_url())))?.status();
        // §2.8: "the RP MUST respond with HTTP 200 OK"; some frameworks answer 204.
        if status.is_success() { Ok(()) } else { Err(Untold::Status { uri: shown(uri), status: status.as_u16() }) }
    }

    async fn client(&self) -> Result<reqwest::Client, String> {
        let builder = self.guard.client().redirect(Policy::none()).timeout(self.timeout);
        // It reads the machine's certificates.
        let made = tokio::task::spawn_blocking(move || builder.build());
        made.await.map_err(|panicked| panicked.to_string())?.map_err(|error| with_causes(&error))
    }
}
