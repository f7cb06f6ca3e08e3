//! The server as a whole: built from its parts, reachable in process as a router, running with its jobs.

use std::sync::Arc;

use ambit_core::entropy::Entropy;
use ambit_core::keys::{MasterKey, Vault, VaultError};
use ambit_core::limits::Limits as ScopeLimits;
use ambit_core::opaque_token::RefreshTokens;
use ambit_core::store::Store;
use ambit_core::subject::Subjects;
use ambit_core::time::Clock;
use ambit_resource_server::ResourceServer;
use axum::Router;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use crate::admin_api::gate;
use crate::body::WaitingBodies;
use crate::clock::Settled;
use crate::config::{Config, Limits};
use crate::first_start::{Start, StartError, prepare};
use crate::health::Health;
use crate::jobs;
use crate::journal::{self, Journal, JournalError};
use crate::limits::{Failures, PublicVisits, SignInFailures};
use crate::listener::Listener;
use crate::listener::tls::{Tls, TlsError};
use crate::logs::Log;
use crate::mail::{Mail, MailError};
use crate::metrics::{self, Metrics};
use crate::outbound::{Guard, KeySets, LogoutCalls};
use crate::passkeys::Passkeys;
use crate::passwords::Passwords;
use crate::registry::{Capacity, LoadError, Registry};
use crate::revocations::Revocations;
use crate::routes;
use crate::session::FormKey;
use crate::state::{App, Inner};
use crate::verifier::verifier;
use crate::web::errors::Reports;

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
    admin_api: ResourceServer,
}

/// Where a server listens.
#[derive(Debug)]
pub struct Listeners {
    /// For everything.
    pub main: TcpListener,
    /// For `/metrics` alone.
    pub metrics: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(main: TcpListener) -> Self {
        Self { main, metrics: None }
    }
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
    /// The system has no threads to hash passwords on.
    #[error("the threads that hash passwords could not be started")]
    Threads(#[source] std::io::Error),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] ambit_core::store::StoreError),
    /// The crypto library failed.
    #[error("the vault could not be opened: {0}")]
    Vault(#[from] VaultError),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Letters cannot be sent as the configuration says.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The admin API cannot be protected: the public URL makes no issuer, or no identifier.
    #[error("the admin API cannot be protected: {0}")]
    Protection(#[from] ambit_resource_server::BuildError),
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
        let tls = Tls::load(&config.tls)?;
        let vault = Arc::new(Vault::new(&master_key)?);
        let limits = ScopeLimits {
            scope_name_chars: config.limits.scope_name_chars,
            scopes_per_request: config.limits.scopes_per_request,
            scope_parameter_bytes: config.limits.scope_bytes.get(),
            catalogue_scopes: config.limits.catalogue_scopes,
            bundle_members: config.limits.bundle_members,
            allowed_scopes: config.limits.allowed_scopes,
            ..ScopeLimits::default()
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
        let registry = Arc::new(registry);
        let revocations = Arc::new(Revocations::default());
        revocations.catch_up(&*store).await?;
        let settled = Arc::new(Settled::new(&*clock));
        let settings = journal::Settings { queue: config.journal.queue, interval: config.journal.flush };
        let metrics = Metrics::new(
            &config.metrics,
            routes::table().into_iter().map(|route| (route.path, route.method)),
            clock.now(),
        );
        let moment = {
            let (settled, clock) = (settled.clone(), clock.clone());
            move || settled.no_earlier(clock.now())
        };
        let guard = Guard::new(&config.outbound);
        let app = App::new(Inner {
            #[cfg(feature = "otel")]
            spans: crate::otel::Spans::start(&config.otel, metrics.spans.clone(), entropy.clone())?,
            limits,
            default_algorithm: config.keys.default_algorithm,
            journal: Journal::start(store.clone(), settings),
            failures: Failures::new(&config.rate_limits),
            sign_in_failures: SignInFailures::new(&config.rate_limits),
            passwords: Passwords::start(&config.passwords, &entropy).map_err(BuildError::Threads)?,
            passkeys: Passkeys::new(&base_url),
            mail: Mail::start(&config, clock.clone(), entropy.clone())?,
            visits: PublicVisits::new(&config.rate_limits),
            reports: Reports::default(),
            metrics,
            health: Health::default(),
            places: Arc::new(tokio::sync::Semaphore::new(config.limits.concurrency)),
            waiting_bodies: WaitingBodies::new(config.limits.waiting_bodies.get()),
            log,
            key_sets: KeySets::new(&config.outbound, guard.clone(), clock.clone()),
            logout_calls: LogoutCalls::new(&config.outbound, guard),
            tls,
            form_key: FormKey::new(&vault)?,
            subjects: Subjects::new(&vault)?,
            refresh_tokens: RefreshTokens::new(&vault)?,
            verifier: verifier(&base_url, registry.clone(), revocations.clone(), moment)?,
            config,
            clock,
            settled,
            entropy,
            store,
            vault,
            registry,
            revocations,
            base_url,
        });
        Ok(Self { admin_api: gate::resource_server(&app)?, app })
    }

    /// The state that the handlers share.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Answers what comes in until `stop` comes; then finishes what is at work, and writes what was noted.
    ///
    /// # Errors
    /// The last tokens could not be written into the journal.
    pub async fn serve(
        self,
        listeners: impl Into<Listeners>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), JournalError> {
        let Listeners { main, metrics } = listeners.into();
        let app = &self.app;
        let limits = &app.config.limits;
        let jobs = tokio::spawn(jobs::run(app.clone()));
        let main = Listener::new(main, self.router(), app.tls.as_ref().map(Tls::acceptor), limits);
        let (finished, is_finished) = tokio::sync::oneshot::channel::<()>();
        let watching = async {
            let Some(metrics) = metrics else { return };
            let limits = &Limits { connections: CONNECTIONS_FOR_METRICS, ..limits.clone() };
            // Whoever watches sees the main listener to its end.
            let stop = async { is_finished.await.unwrap_or(()) };
            Listener::new(metrics, metrics::router(app.clone()), None, limits).serve(stop).await;
        };
        let answering = async {
            let stop = async {
                stop.await;
                app.health.begin_stopping();
            };
            main.serve(stop).await;
            drop(finished);
        };
        tokio::join!(answering, watching);
        jobs.abort();
        // A store that does not answer must not keep the server from stopping.
        let closed = tokio::time::timeout(JOURNAL_PATIENCE, app.journal.close()).await;
        let written = closed.unwrap_or(Err(JournalError::Unwritten));
        if let Err(error) = &written {
            tracing::error!(%error, "the last tokens could not be written into the journal");
        }
        let lost = app.mail.close(MAIL_PATIENCE).await;
        if lost > 0 {
            tracing::error!(lost, "the last letters could not be sent");
        }
        #[cfg(feature = "otel")]
        if let Some(spans) = &app.spans {
            spans.flush().await;
        }
        app.log.flush();
        written
    }

    /// Everything the server answers, to be called in process.
    pub fn router(&self) -> Router {
        routes::router(self.app.clone(), &self.admin_api)
    }
}

/// Those who watch are few. Their connections are within what is kept free of open files.
const CONNECTIONS_FOR_METRICS: usize = 16;
/// How long a server that was told to stop waits for its letters to be sent.
const MAIL_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// How long a server that was told to stop waits for its journal to be written.
const JOURNAL_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
