//! From a text to a token that was verified: signature, kind, issuer, times, and whether it still stands.
//!
//! 1. The text was verified before and its keys are still published: its times and its standing are looked at anew.
//! 2. Or else each trusted issuer's keys are tried for the `kid` that the token names. Which issuer it is from is decided
//!    by whose key made the signature, never by what an unverified token says of itself.
//! 3. No issuer has the key, or one's keys are not there: they are fetched, once, and within limits.
//!
//! For whom a token is (`aud`) is not this module's question: [`ResourceServer`](crate::ResourceServer) asks it, an
//! introspection endpoint does not.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::introspection::IntrospectionResponse;
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::jose::jws::{JwsError, MAX_TOKEN_LEN};
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, LEEWAY_SECS, TokenError, Validation, Verified};
use bytes::Bytes;
use futures_util::future::join_all;

use crate::cache::{TokenCache, TokenText};
use crate::carried::Carried;
use crate::denial::Holder;
use crate::fetch::{Fetch, Transport};
use crate::hooks::{Clock, Implied, TokenStatus, Withdrawn};
use crate::issuer::{Fetching, Issuer, Trusted};
use crate::refresh::Policy;

/// Verifies access tokens (RFC 9068 §4) of the issuers it trusts. Cloning shares keys and memory.
///
/// A [`ResourceServer`](crate::ResourceServer) has one. An authorization server shares one between its own API and its
/// introspection endpoint.
///
/// ```
/// use ambit_protocol::claims::{AccessTokenClaims, Audience};
/// use ambit_protocol::jose::{Algorithm, JwkSet, SigningKey};
/// use ambit_protocol::time::Timestamp;
/// use ambit_resource_server::{Issuer, TokenVerifier, VerifyError};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let key = SigningKey::generate(Algorithm::Es256)?;
/// let issuer = Issuer::new("https://as.example").jwks(JwkSet::new(vec![key.public_jwk("k1")])?).without_catalogue();
/// let verifier = TokenVerifier::builder().issuer(issuer).clock(|| Timestamp::from_secs(2_000)).build()?;
///
/// let audience = Audience::One("https://pos.example");
/// let claims = AccessTokenClaims::new("https://as.example", "till-7", audience, "till-7", 1_000, 4_600, "t1");
/// let token = key.sign(&key.header("at+jwt", "k1"), &claims.to_json())?;
///
/// assert_eq!(verifier.verify(&token).await?.client_id(), "till-7");
/// assert!(matches!(verifier.verify("something else").await, Err(VerifyError::Token(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TokenVerifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trusted: Vec<Trusted>,
    status: Option<Box<dyn TokenStatus>>,
    clock: Clock,
    cache: TokenCache,
    hits: AtomicU64,
    misses: AtomicU64,
    cache_for: Duration,
    max_len: usize,
}

/// A token whose signature, kind, issuer and times were verified. Only [`TokenVerifier`] makes one.
#[derive(Debug)]
pub struct VerifiedToken {
    verified: Verified<AccessTokenClaims>,
    /// The place of its issuer among those that are trusted.
    issuer: usize,
    /// The keys among which the one that verified it was found.
    keys: Arc<VerifyingKeys>,
    introspection: OnceLock<Bytes>,
}

/// Why a token was not verified. The texts are for its holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Its form, signature, kind, issuer or times.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It does not stand any more.
    #[error("{reason}")]
    Withdrawn {
        /// Why.
        reason: Withdrawn,
        /// Whose it is, for the log: who goes on using a revoked token is worth knowing.
        holder: Holder,
    },
    /// The keys of an issuer cannot be had now, so nobody can tell.
    #[error("the keys of the issuer cannot be fetched now; try again later")]
    KeysUnavailable,
}

/// Why a verifier or a resource server cannot be set up. For the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// No issuer is trusted: every token would be refused.
    #[error("no issuer is trusted")]
    NoIssuer,
    /// More issuers than [`MAX_ISSUERS`].
    #[error("more than {MAX_ISSUERS} issuers are trusted")]
    TooManyIssuers,
    /// An issuer, or one of its addresses or keys, is not usable.
    #[error("issuer '{issuer}': {reason}")]
    Issuer {
        /// Its name.
        issuer: String,
        /// What is wrong.
        reason: String,
    },
    /// The identifier of the API is none.
    #[error("the API's identifier '{identifier}': {reason}")]
    Identifier {
        /// The identifier.
        identifier: String,
        /// What is wrong.
        reason: String,
    },
    /// Another address is none.
    #[error("'{address}': {reason}")]
    Address {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing to fetch with.
    #[error("keys or bundles must be fetched and there is no HTTP client: {0}")]
    NoClient(String),
}

/// Sets up a [`TokenVerifier`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct TokenVerifierBuilder {
    issuers: Vec<Issuer>,
    status: Option<Box<dyn TokenStatus>>,
    clock: Clock,
    fetch: Option<Arc<dyn Fetch>>,
    transport: Transport,
    policy: Policy,
    cache_capacity: usize,
    cache_for: Duration,
    max_len: usize,
}

impl TokenVerifier {
    /// Begins to set one up.
    pub fn builder() -> TokenVerifierBuilder {
        TokenVerifierBuilder {
            issuers: Vec::new(),
            status: None,
            clock: Clock::default(),
            fetch: None,
            transport: Transport::Secure,
            policy: Policy::default(),
            cache_capacity: USUAL_CACHE_CAPACITY,
            cache_for: USUAL_CACHE_TIME,
            max_len: MAX_TOKEN_LEN,
        }
    }

    /// Verifies a token, whoever it is for. Waits for keys where they have to be fetched.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify(&self, token: &str) -> Result<Arc<VerifiedToken>, VerifyError> {
        match self.verify_now(token) {
            Some(answer) => answer,
            None => self.verify_with_fresh_keys(token).await,
        }
    }

    /// As [`TokenVerifier::verify`], with what is in memory; none where keys would have to be fetched to tell.
    #[must_use]
    pub fn verify_now(&self, token: &str) -> Option<Result<Arc<VerifiedToken>, VerifyError>> {
        self.verify_at(token, self.now())
    }

    /// As [`TokenVerifier::verify_now`], at a moment that was read already, so that a request has one.
    #[must_use]
    pub fn verify_at(&self, token: &str, now: Timestamp) -> Option<Result<Arc<VerifiedToken>, VerifyError>> {
        match self.look(token, now) {
            Look::Verified(token) => Some(Ok(token)),
            Look::Refused(error) => Some(Err(error)),
            Look::KeyUnknown | Look::KeysMissing => None,
        }
    }

    /// Whether the token holds a scope: carries it, or carries a coarse scope that includes it while no feature gates it
    /// (scopes.md §2). A bundle whose catalogue is not at hand implies nothing.
    #[must_use]
    pub fn holds(&self, token: &VerifiedToken, scope: &str) -> bool {
        self.holds_of(Carried::new(token, None), scope)
    }

    /// Fetches keys and catalogues that are not there yet, so that the first request does not wait for them. What cannot be
    /// fetched now is logged, and tried again when it is needed.
    pub async fn warm_up(&self) {
        let now = self.0.clock.now();
        join_all(self.0.trusted.iter().map(|issuer| async move {
            let keys = async {
                if issuer.keys.current(now).is_none() {
                    issuer.keys.refresh().await;
                }
            };
            tokio::join!(keys, issuer.bundles.refresh());
        }))
        .await;
    }

    /// How many verified tokens are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.0.cache.len()
    }

    /// How often it was enough to remember.
    #[must_use]
    pub fn lookups(&self) -> Lookups {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Lookups { hits: load(&self.0.hits), misses: load(&self.0.misses) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn issuer_names(&self) -> impl Iterator<Item = &str> {
        self.0.trusted.iter().map(|issuer| issuer.name.as_str())
    }

    pub(crate) fn holds_of(&self, carried: Carried<'_>, scope: &str) -> bool {
        carried.contains(scope) || self.implied(carried, scope) == Implied::Yes
    }

    /// Whether a bundle implies a scope that is not carried itself.
    pub(crate) fn implied(&self, carried: Carried<'_>, scope: &str) -> Implied {
        self.0.trusted[carried.token().issuer].bundles.implies(carried, scope, self.now())
    }

    pub(crate) async fn refresh_bundles(&self, token: &VerifiedToken) {
        self.0.trusted[token.issuer].bundles.refresh().await;
    }

    async fn verify_with_fresh_keys(&self, token: &str) -> Result<Arc<VerifiedToken>, VerifyError> {
        join_all(self.0.trusted.iter().map(|issuer| issuer.keys.refresh())).await;
        match self.look(token, self.now()) {
            Look::Verified(token) => Ok(token),
            Look::Refused(error) => Err(error),
            Look::KeyUnknown => Err(TokenError::Jws(JwsError::UnknownKey).into()),
            Look::KeysMissing => Err(VerifyError::KeysUnavailable),
        }
    }

    fn look(&self, token: &str, now: Timestamp) -> Look {
        // A text that is too long is not even hashed.
        if token.len() > self.0.max_len {
            return Look::Refused(TokenError::Jws(JwsError::TooLong).into());
        }
        let text = TokenText::new(token);
        let looked = if let Some(verified) = self.0.remembered(text, now) {
            self.0.hits.fetch_add(1, Ordering::Relaxed);
            Look::Verified(verified)
        } else {
            self.0.misses.fetch_add(1, Ordering::Relaxed);
            self.0.look_at(text, now)
        };
        let Look::Verified(verified) = looked else { return looked };
        // At each use: a token that was verified before may have expired or been revoked since.
        match self.0.still_stands(&verified, now) {
            Ok(()) => Look::Verified(verified),
            Err(error) => {
                self.0.cache.remove(text);
                Look::Refused(error)
            }
        }
    }
}

/// Tokens that were presented since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookups {
    /// Those that had been verified lately.
    pub hits: u64,
    /// Those that had to be verified.
    pub misses: u64,
}

enum Look {
    Verified(Arc<VerifiedToken>),
    Refused(VerifyError),
    /// No issuer has the key.
    KeyUnknown,
    /// An issuer that might have it has no keys at all.
    KeysMissing,
}

impl Inner {
    /// A token that was verified with keys that are still the issuer's.
    fn remembered(&self, text: TokenText<'_>, now: Timestamp) -> Option<Arc<VerifiedToken>> {
        let token = self.cache.find(text, now)?;
        let keys = self.trusted[token.issuer].keys.current(now)?;
        if Arc::ptr_eq(&keys, &token.keys) {
            return Some(token);
        }
        self.cache.remove(text);
        None
    }

    fn look_at(&self, text: TokenText<'_>, now: Timestamp) -> Look {
        let mut refusal = TokenError::Jws(JwsError::UnknownKey);
        let mut keys_missing = false;
        for (place, issuer) in self.trusted.iter().enumerate() {
            let keys = issuer.keys.current(now).unwrap_or_else(|| {
                keys_missing = true;
                // Without keys a token can still be recognised as none.
                Arc::default()
            });
            let accepts = |iss: &str| issuer.accepts(iss);
            let validation = Validation {
                max_len: self.max_len,
                ..Validation::new(Accepted::Where(&accepts), Accepted::Where(&|_| true), now)
            };
            match verify::access_token(text.whole, &*keys, &validation) {
                Ok(verified) => {
                    let token =
                        Arc::new(VerifiedToken { verified, issuer: place, keys, introspection: OnceLock::new() });
                    self.cache.insert(text, Arc::clone(&token), now, self.cache_for);
                    return Look::Verified(token);
                }
                // Another issuer may have this key, or another key of this name.
                Err(error) if may_be_anothers(error) => {
                    if weight(error) > weight(refusal) {
                        refusal = error;
                    }
                }
                Err(error) => return Look::Refused(error.into()),
            }
        }
        match refusal {
            _ if keys_missing => Look::KeysMissing,
            TokenError::Jws(JwsError::UnknownKey) => Look::KeyUnknown,
            error => Look::Refused(error.into()),
        }
    }

    fn still_stands(&self, token: &VerifiedToken, now: Timestamp) -> Result<(), VerifyError> {
        // RFC 7519 §4.1.4, the same edge as at the first verification.
        if now.secs() >= token.claims().exp.saturating_add(LEEWAY_SECS) {
            return Err(TokenError::Expired { at: token.claims().expires_at() }.into());
        }
        match &self.status {
            Some(status) => status
                .check(token.claims(), now)
                .map_err(|reason| VerifyError::Withdrawn { reason, holder: Holder::of(token) }),
            None => Ok(()),
        }
    }
}

/// Whether a refusal says no more than that these are not the right keys.
const fn may_be_anothers(error: TokenError) -> bool {
    weight(error) < u8::MAX
}

/// Which of several issuers' refusals says most.
const fn weight(error: TokenError) -> u8 {
    match error {
        TokenError::Jws(JwsError::UnknownKey) => 0,
        TokenError::Jws(JwsError::KeyAlgorithm) => 1,
        TokenError::Jws(JwsError::Signature) => 2,
        TokenError::Issuer => 3,
        _ => u8::MAX,
    }
}

impl VerifiedToken {
    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &AccessTokenClaims {
        self.verified.claims()
    }

    /// The claims with the algorithm and the key that verified them.
    #[must_use]
    pub const fn verified(&self) -> &Verified<AccessTokenClaims> {
        &self.verified
    }

    /// The client it was issued to.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.claims().client_id
    }

    /// The names of the scopes that it carries.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.claims().scopes()
    }

    /// What an authorization server answers of it (RFC 7662 §2.2) as long as it holds all that it carries: JSON, written when it
    /// is first asked for.
    pub fn introspection(&self) -> Bytes {
        let claims = self.claims();
        let scope = claims.scope.as_deref().unwrap_or_default();
        let write = || IntrospectionResponse::active(claims, scope).to_json().into();
        self.introspection.get_or_init(write).clone()
    }

    /// Whether it carries a scope by name. What its bundles imply: [`TokenVerifier::holds`].
    #[must_use]
    pub fn carries(&self, scope: &str) -> bool {
        self.scopes().any(|carried| carried == scope)
    }
}

impl TokenVerifierBuilder {
    /// Trusts an issuer. May be called again for further ones, up to [`MAX_ISSUERS`].
    pub fn issuer(mut self, issuer: impl Into<Issuer>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Asks this at each use of a token, beside what its own text says.
    pub fn status(mut self, status: impl TokenStatus + 'static) -> Self {
        self.status = Some(Box::new(status));
        self
    }

    /// Tells the moment; the system's clock where left out.
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(clock);
        self
    }

    /// Fetches keys and catalogues with this; an HTTPS client where left out.
    pub fn fetch(mut self, fetch: impl Fetch + 'static) -> Self {
        self.fetch = Some(Arc::new(fetch));
        self
    }

    /// Fetches over plain HTTP as well, from any host. Whoever sits between can hand out keys of their own then, and sign
    /// whatever token they like. Plain HTTP on a loopback address needs no permission.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.transport = Transport::Any;
        self
    }

    /// The least time between two fetches of one issuer's keys, whatever tokens arrive; 5 seconds where left out. A key
    /// that was published after the last fetch may be unknown for so long.
    pub fn min_fetch_interval(mut self, interval: Duration) -> Self {
        self.policy.min_interval = interval;
        self
    }

    /// How long keys and catalogues are used after the issuer last confirmed them, while it cannot be reached; 2 hours where
    /// left out.
    pub fn max_stale(mut self, max_age: Duration) -> Self {
        self.policy.max_age = max_age;
        self
    }

    /// How many verified tokens are remembered; 10,000 where left out, none with 0. One takes 2 to 3 KiB.
    pub fn cache_capacity(mut self, tokens: usize) -> Self {
        self.cache_capacity = tokens;
        self
    }

    /// How long a verified token is remembered at most, within its own life; 10 minutes where left out. Expiry, revocation
    /// and withdrawn keys take effect at once, however long this is.
    pub fn cache_time(mut self, at_most: Duration) -> Self {
        self.cache_for = at_most;
        self
    }

    /// The longest token that is looked at, in octets; 16 KiB where left out.
    pub fn max_token_len(mut self, octets: usize) -> Self {
        self.max_len = octets;
        self
    }

    /// Sets it up. Nothing is fetched yet: see [`TokenVerifier::warm_up`].
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(self) -> Result<TokenVerifier, BuildError> {
        match self.issuers.len() {
            0 => return Err(BuildError::NoIssuer),
            1..=MAX_ISSUERS => {}
            _ => return Err(BuildError::TooManyIssuers),
        }
        // One client for all of them, and none where everything is handed in.
        let made = std::cell::RefCell::new(self.fetch.clone());
        let client = || {
            let mut made = made.borrow_mut();
            match &*made {
                Some(fetch) => Ok(Arc::clone(fetch)),
                None => usual_client().inspect(|fetch| *made = Some(Arc::clone(fetch))),
            }
        };
        let fetching = Fetching { fetch: &client, transport: self.transport, policy: self.policy, clock: &self.clock };
        let trusted = self.issuers.into_iter().map(|issuer| issuer.trust(&fetching)).collect::<Result<_, _>>()?;
        Ok(TokenVerifier(Arc::new(Inner {
            trusted,
            status: self.status,
            clock: self.clock.clone(),
            cache: TokenCache::new(self.cache_capacity),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            cache_for: self.cache_for,
            max_len: self.max_len,
        })))
    }
}

#[cfg(feature = "http-client")]
fn usual_client() -> Result<Arc<dyn Fetch>, BuildError> {
    match crate::fetch::HttpClient::new() {
        Ok(client) => Ok(Arc::new(client)),
        Err(reason) => Err(BuildError::NoClient(reason)),
    }
}

#[cfg(not(feature = "http-client"))]
fn usual_client() -> Result<Arc<dyn Fetch>, BuildError> {
    Err(BuildError::NoClient("the feature 'http-client' is off, and no other was handed in".to_owned()))
}

impl fmt::Display for VerifiedToken {
    /// Who it is, for a log line: never its text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {} of {}", self.claims().jti, self.client_id())
    }
}

/// The most issuers one verifier trusts: a token that names no key is tried with the keys of each.
pub const MAX_ISSUERS: usize = 16;
const USUAL_CACHE_CAPACITY: usize = 10_000;
const USUAL_CACHE_TIME: Duration = Duration::from_mins(10);
