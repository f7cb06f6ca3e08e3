//! The server as a whole: built from its parts, reachable in process as a router, running with its jobs.

use std::net::SocketAddr;
use std::sync::Arc;

use ambit_core::entropy::Entropy;
use ambit_core::keys::{MasterKey, Vault, VaultError};
use ambit_core::limits::Limits;
use ambit_core::store::Store;
use ambit_core::time::Clock;
use axum::Router;
use axum::serve::ListenerExt as _;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::first_start::{Start, StartError, prepare};
use crate::health::Health;
use crate::jobs;
use crate::journal::{self, Journal};
use crate::limits::Failures;
use crate::logs::Log;
use crate::metrics::Metrics;
use crate::registry::{Capacity, LoadError, Registry};
use crate::revocations::Revocations;
use crate::routes;
use crate::state::{App, Inner};
use crate::verified_tokens::VerifiedTokens;

/// What a server is built from.
#[derive(Debug)]
pub struct Parts {
    /// How it is configured.
    pub config: Config,
    /// The platform's issuer, without a slash at the end.
    pub base_url: String,
    /// What outlives the process, its schema up to date.
    pub store: Arc<dyn Store>,
    /// Encrypts what is kept.
    pub master_key: MasterKey,
    /// Tells the moment.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub entropy: Arc<dyn Entropy>,
    /// One line for each request.
    pub log: Log,
}

/// A server that can answer.
#[derive(Debug, Clone)]
pub struct Server {
    app: App,
}

/// Why a server cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The registry could not be prepared.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The facts could not be loaded. A key that does not open usually means another master key.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] ambit_core::store::StoreError),
    /// The crypto library failed.
    #[error("the vault could not be opened: {0}")]
    Vault(#[from] VaultError),
    /// The export of traces cannot begin.
    #[cfg(feature = "otel")]
    #[error(transparent)]
    Otel(#[from] crate::otel::OtelError),
}

impl Server {
    /// Prepares the registry and loads what decisions need. Must be called within a runtime.
    ///
    /// # Errors
    /// [`BuildError`].
    pub async fn build(parts: Parts) -> Result<Self, BuildError> {
        let Parts { config, base_url, store, master_key, clock, entropy, log } = parts;
        let vault = Arc::new(Vault::new(&master_key)?);
        let limits = Limits {
            scopes_per_request: config.limits.scopes_per_request,
            scope_parameter_bytes: config.limits.scope_bytes.get(),
            catalogue_scopes: config.limits.catalogue_scopes,
            bundle_members: config.limits.bundle_members,
            allowed_scopes: config.limits.allowed_scopes,
            ..Limits::default()
        };
        let bootstrap = config
            .bootstrap
            .client_id
            .as_deref()
            .zip(config.bootstrap.client_secret.as_ref().map(|secret| secret.0.expose_secret()));
        prepare(
            &*store,
            &Start {
                base_url: &base_url,
                default_algorithm: config.keys.default_algorithm,
                limits,
                now: clock.now(),
                vault: &vault,
                entropy: &*entropy,
                bootstrap,
            },
        )
        .await?;
        let registry = Registry::load(store.clone(), vault.clone(), clock.clone(), Capacity::default()).await?;
        let revocations = Revocations::default();
        revocations.catch_up(&*store).await?;
        let settings = journal::Settings { queue: config.journal.queue, interval: config.journal.flush };
        let metrics = Metrics::new(
            &config.metrics,
            routes::table().into_iter().map(|route| (route.path, route.method)),
            clock.now(),
        );
        let app = App::new(Inner {
            #[cfg(feature = "otel")]
            spans: crate::otel::Spans::start(&config.otel, metrics.spans.clone(), entropy.clone())?,
            base_url,
            limits,
            default_algorithm: config.keys.default_algorithm,
            journal: Journal::start(store.clone(), settings),
            failures: Failures::new(&config.rate_limits),
            metrics,
            health: Health::default(),
            places: tokio::sync::Semaphore::new(config.limits.concurrency),
            log,
            verified_tokens: VerifiedTokens::new(VERIFIED_TOKENS),
            config,
            clock,
            entropy,
            store,
            vault,
            registry,
            revocations,
        });
        Ok(Self { app })
    }

    /// The state that the handlers share.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Answers what comes in at a listener until `stop` comes; then finishes what is at work, and writes what was noted.
    ///
    /// # Errors
    /// Those of the listener.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let jobs = tokio::spawn(jobs::run(self.app.clone()));
        let service = self.router().into_make_service_with_connect_info::<SocketAddr>();
        let listener = listener.tap_io(|stream| {
            // An answer is one small write: waiting for more would only make it late.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
        });
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        let app = self.app.clone();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
            stop.await;
            app.health.begin_stopping();
            // The other end waits for this or for the serving to end by itself.
            let _ = stopping.send(());
        });
        let drain = self.app.config.limits.drain_timeout;
        let outcome = tokio::select! {
            outcome = async { serving.await } => outcome,
            () = async {
                // Where nobody stops the server, this waits with it.
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(drain).await;
            } => {
                tracing::warn!("requests were still at work when the time to finish them was over");
                Ok(())
            }
        };
        jobs.abort();
        if let Err(error) = self.app.journal.flush().await {
            tracing::error!(%error, "the last tokens could not be written into the journal");
        }
        #[cfg(feature = "otel")]
        if let Some(spans) = &self.app.spans {
            spans.flush().await;
        }
        self.app.log.flush();
        outcome
    }

    /// Everything the server answers, to be called in process.
    pub fn router(&self) -> Router {
        routes::router(self.app.clone())
    }
}

const VERIFIED_TOKENS: u64 = 20_000;
