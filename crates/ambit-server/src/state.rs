//! What the handlers share.

use std::ops::Deref;
use std::sync::Arc;

use ambit_core::entropy::Entropy;
use ambit_core::keys::Vault;
use ambit_core::limits::Limits;
use ambit_core::opaque_token::RefreshTokens;
use ambit_core::registry::Settings;
use ambit_core::registry::key::KeyTimes;
use ambit_core::store::Store;
use ambit_core::subject::Subjects;
use ambit_core::time::Clock;
use ambit_protocol::jose::Algorithm;
use ambit_protocol::time::Timestamp;
use ambit_resource_server::TokenVerifier;

use crate::body::WaitingBodies;
use crate::clock::Settled;
use crate::config::Config;
use crate::health::Health;
use crate::journal::Journal;
use crate::limits::{Failures, PublicVisits, SignInFailures};
use crate::listener::tls::Tls;
use crate::logs::Log;
use crate::mail::Mail;
use crate::metrics::Metrics;
use crate::outbound::{KeySets, LogoutCalls};
use crate::passkeys::Passkeys;
use crate::passwords::Passwords;
use crate::registry::Registry;
use crate::revocations::Revocations;
use crate::session::FormKey;
use crate::web::errors::Reports;

/// The server's state, shared by all handlers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

/// What is in it.
#[derive(Debug)]
pub struct Inner {
    /// How it is configured.
    pub config: Config,
    /// The platform's issuer, without a slash at the end: what every URL begins with. Never taken from a request.
    pub base_url: String,
    /// Limits on scopes.
    pub limits: Limits,
    /// What tokens are signed with where no API asks for something else.
    pub default_algorithm: Algorithm,
    /// Tells the moment.
    pub clock: Arc<dyn Clock>,
    /// The moment for what cannot be taken back.
    pub settled: Arc<Settled>,
    /// Gives randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What outlives the process.
    pub store: Arc<dyn Store>,
    /// Encrypts what is kept.
    pub vault: Arc<Vault>,
    /// The facts that decisions are made of, in memory.
    pub registry: Arc<Registry>,
    /// Revoked tokens, in memory.
    pub revocations: Arc<Revocations>,
    /// Which tokens were issued.
    pub journal: Journal,
    /// Who failed too often.
    pub failures: Failures,
    /// Who failed too often to sign in.
    pub sign_in_failures: SignInFailures,
    /// How often an address asked what anybody may ask.
    pub visits: PublicVisits,
    /// What was reported about errors, in memory.
    pub reports: Reports,
    /// What is counted.
    pub metrics: Metrics,
    /// Where the spans of sampled traces go, if anywhere.
    #[cfg(feature = "otel")]
    pub spans: Option<crate::otel::Spans>,
    /// Whether it can do its work.
    pub health: Health,
    /// Places for requests at work.
    pub places: Arc<tokio::sync::Semaphore>,
    /// Room for bodies that are not all there.
    pub waiting_bodies: WaitingBodies,
    /// One line for each request.
    pub log: Log,
    /// The keys that clients publish themselves.
    pub key_sets: KeySets,
    /// Calls clients that want to know of the end of a session.
    pub logout_calls: LogoutCalls,
    /// The certificate, where the server speaks TLS itself.
    pub tls: Option<Tls>,
    /// Where passwords are hashed.
    pub passwords: Passwords,
    /// Sets the challenges of passkeys; none where browsers have no passkeys for the public URL.
    pub passkeys: Option<Passkeys>,
    /// Letters to people.
    pub mail: Mail,
    /// Makes and checks the tokens of forms.
    pub form_key: FormKey,
    /// Names people to applications.
    pub subjects: Subjects,
    /// Makes refresh tokens, and tells whose one is.
    pub refresh_tokens: RefreshTokens,
    /// Verifies our own tokens, and remembers those that it verified lately.
    pub verifier: TokenVerifier,
}

impl App {
    /// Shares a state.
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// What the registry stays within.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings { limits: self.limits, base_url: self.base_url.clone(), loopback_uris: self.config.outbound.loopback }
    }

    /// The moment for spans of time, such as how often somebody may fail within a minute: no correction of the time of day makes
    /// them longer or shorter. It says nothing about the time of day.
    #[must_use]
    pub fn steady_moment(&self) -> Timestamp {
        Timestamp::default() + self.clock.steady()
    }

    /// Whether an issuer is the platform's or a tenant's of this server. Compared whole, never by its beginning alone.
    #[must_use]
    pub fn is_own_issuer(&self, issuer: &str) -> bool {
        issuer == self.base_url
            || issuer
                .strip_prefix(&self.base_url)
                .and_then(|rest| rest.strip_prefix("/tenants/"))
                .is_some_and(|slug| slug.parse::<ambit_protocol::admin::text::Slug>().is_ok())
    }

    /// The spans of time in the life of a signing key.
    #[must_use]
    pub fn key_times(&self) -> KeyTimes {
        let keys = &self.config.keys;
        KeyTimes { rotate: keys.rotate, publish_ahead: keys.publish_ahead, overlap: keys.overlap }
    }

    /// The identifier of the admin API: the `aud` of tokens for it.
    #[must_use]
    pub fn admin_api_identifier(&self) -> String {
        format!("{}/api/v1/admin", self.base_url)
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
