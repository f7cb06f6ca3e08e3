//! What an embedding API can hand in: where keys and bundles come from, what makes a good token no good any more, and who
//! explains a refusal.
//!
//! An authorization server that protects its own API implements these over what it has in memory, and nothing is fetched.
//! Everybody else needs none of them: [`Issuer::new`](crate::Issuer::new) finds keys and catalogue over HTTPS.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::explain::Explanation;
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;

use crate::carried::Carried;
use crate::identity::Identity;
use crate::require::Requirement;
use crate::verify::VerifiedToken;

/// A future in a box, as the hooks return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the keys of an issuer come from.
pub trait Keys: Send + Sync + fmt::Debug {
    /// The keys of now, from memory; none where there are none that may still be believed.
    ///
    /// While the keys are the same, it must be the same [`Arc`]: tokens that were verified with another one are verified
    /// again. A key that was withdrawn is out of use as soon as this answers without it.
    fn current(&self, now: Timestamp) -> Option<Arc<VerifyingKeys>>;

    /// Waits until the keys are as fresh as they can be had. Called when a token names a key that is not there, and when
    /// there are none; it may well be called thousands of times a second, by anybody who can send a request.
    fn refresh(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What the bundles of an issuer include.
pub trait Bundles: Send + Sync + fmt::Debug {
    /// Whether one of the coarse scopes among those that count includes `scope`, and no feature gates it.
    ///
    /// Never asked about a scope that is among them itself.
    fn implies(&self, carried: Carried<'_>, scope: &str, now: Timestamp) -> Implied;

    /// Waits until the bundles are as fresh as they can be had. Called when [`Bundles::implies`] does not know.
    fn refresh(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Whether a bundle implies a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implied {
    /// One of those that count does.
    Yes,
    /// None does, or the scope is gated.
    No,
    /// There is no catalogue that may still be believed. The scope is not held.
    Unknown,
}

/// What makes a token that its own text calls good no good any more: revocation, a restored backup.
///
/// Asked at each use of a token, also when its signature was verified before, so it must answer from memory.
pub trait TokenStatus: Send + Sync + fmt::Debug {
    /// Whether the token still stands.
    ///
    /// # Errors
    /// [`Withdrawn`]: the request is answered 401 `invalid_token`.
    fn check(&self, claims: &AccessTokenClaims, now: Timestamp) -> Result<(), Withdrawn>;
}

/// Why a token does not stand any more. The texts are for its holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Withdrawn {
    /// It was revoked (RFC 7009).
    #[error("the token was revoked; get a new one")]
    Revoked,
    /// It was issued in a span that a restored backup does not know, revocations included.
    #[error("the token was issued before the server was restored from a backup; get a new one")]
    LostInRestore,
    /// Its client does not exist any more, or is disabled.
    #[error("the client that the token was issued to is disabled or gone")]
    Client,
    /// Something else; the text goes out as it is.
    #[error("{0}")]
    Other(Cow<'static, str>),
}

/// Whether those behind a good token may come in: the tenant it acts for, its partner, its client.
pub trait Standing: Send + Sync + fmt::Debug {
    /// How they stand. [`StandingCheck::Now`] where memory knows, which costs no allocation.
    ///
    /// May be asked twice for one request; a promise that is dropped before it was polled must not matter.
    fn check<'a>(&'a self, token: &'a VerifiedToken, now: Timestamp) -> StandingCheck<'a>;
}

/// The answer of [`Standing::check`], or the promise of one.
pub enum StandingCheck<'a> {
    /// Known at once.
    Now(Result<Good, NotGood>),
    /// Has to be looked up.
    Later(BoxFuture<'a, Result<Good, NotGood>>),
}

impl fmt::Debug for StandingCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

/// They may come in, and what is to be said about that.
///
/// ```
/// use ambit_resource_server::Good;
///
/// /// What this API knows of a tenant.
/// struct Plan(&'static str);
///
/// let good = Good::default()
///     .with_warning("tenant 'acme' is in its grace period")
///     .counting_only(["offers:read".parse()?])
///     .with_facts(Plan("gold"));
/// # drop(good);
/// # Ok::<(), ambit_protocol::scope::ScopeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Good {
    pub(crate) warning: Option<Cow<'static, str>>,
    pub(crate) only: Option<Arc<[ScopeToken]>>,
    pub(crate) facts: Option<LookedUp>,
}

/// What was looked up of somebody.
#[derive(Clone)]
pub(crate) struct LookedUp(pub(crate) Arc<dyn Any + Send + Sync>);

impl Good {
    /// Puts a word on the answer: `Warning: 299 - "…"`, as for a tenant in its grace period. Printable ASCII; what is not is
    /// replaced.
    #[must_use]
    pub fn with_warning(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.warning = Some(text.into());
        self
    }

    /// Of the scopes that the token carries, lets only these count: those that its client would still be granted, say. A
    /// scope that the token does not carry is not added by this.
    #[must_use]
    pub fn counting_only(mut self, scopes: impl Into<Arc<[ScopeToken]>>) -> Self {
        self.only = Some(scopes.into());
        self
    }

    /// Hands what was looked up to the handler, which finds it with [`Identity::facts`], and to [`Explain`].
    #[must_use]
    pub fn with_facts<T: Any + Send + Sync>(mut self, facts: T) -> Self {
        self.facts = Some(LookedUp(Arc::new(facts)));
        self
    }
}

impl fmt::Debug for LookedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookedUp(..)")
    }
}

/// They may not come in. The texts go out as the problem's `detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotGood {
    /// 402: the tenant is suspended.
    TenantSuspended(Cow<'static, str>),
    /// 403: the tenant is gone for good.
    TenantChurned(Cow<'static, str>),
    /// 403: the partner is suspended.
    PartnerSuspended(Cow<'static, str>),
    /// 401 `invalid_token`: the token does not stand any more.
    Token(Withdrawn),
    /// 503: it cannot be known now. The text is for the log alone.
    Unavailable(String),
}

/// Says why a scope is missing: the member `why` of the 403.
///
/// It is asked about good tokens only, and has [`EXPLAIN_TIME`]; what takes longer is left out.
pub trait Explain: Send + Sync + fmt::Debug {
    /// The sentence of the refusal, in place of the requirement's own: the `detail` of the problem and the
    /// `error_description` of the challenge. For an API whose sentence depends on who calls; it must answer from memory.
    fn detail(&self, shortfall: &Shortfall) -> Option<Cow<'static, str>> {
        let _ = shortfall;
        None
    }

    /// The broken link of the chain and what mends it; none where there is nothing to say.
    fn explain<'a>(&'a self, shortfall: &'a Shortfall) -> BoxFuture<'a, Option<Explanation>>;
}

/// A good token that does not hold what an endpoint requires.
#[derive(Debug, Clone)]
pub struct Shortfall {
    /// The token, and whoever is behind it.
    pub identity: Identity,
    /// What was required.
    pub requirement: Arc<Requirement>,
    /// The method of the request.
    pub method: http::Method,
    /// The path of the request, without its query.
    pub path: String,
}

/// How long a refusal waits for its explanation.
pub const EXPLAIN_TIME: std::time::Duration = std::time::Duration::from_secs(1);

/// Tells the moment. Cloning shares it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// From a function that tells it.
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the clock of an API that hands in none; all else asks `Clock`")]
        Self::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}
