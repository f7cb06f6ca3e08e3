//! Verifying tokens: from a text somebody sent to claims one may act on.
//!
//! 1. [`jws::verify`]: limits, `typ`, algorithm, key, signature.
//! 2. The claims are read, strictly: a claim of the wrong type is an error and never an absent claim.
//! 3. Issuer, audience and times are compared with what is accepted here.
//! 4. Only now there is a [`Verified`], and nobody else can make one.
//!
//! Time is handed in; which keys belong to whom is the caller's knowledge.

use std::fmt;
use std::ops::Deref;

use crate::claims::{AccessTokenClaims, AssertionClaims, IdTokenHint, MAX_JTI_LEN};
use crate::jose::jws::{self, JwsError, JwsRules, KeySource, MAX_TOKEN_LEN};
use crate::jose::strict_json::{Fault, Malformed, Object};
use crate::jose::{Algorithm, VerifyingKeys};
use crate::time::Timestamp;

/// Claims that passed every check. There is no other way to get at them, and no other way to make one:
///
/// ```compile_fail,E0451
/// use ambit_protocol::jose::Algorithm;
/// use ambit_protocol::verify::Verified;
///
/// let forged = Verified { claims: "admin", algorithm: Algorithm::Es256, kid: None };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    claims: T,
    algorithm: Algorithm,
    kid: Option<String>,
}

/// Which values of a claim are accepted.
#[derive(Clone, Copy)]
pub enum Accepted<'a> {
    /// Exactly one of these, octet by octet.
    OneOf(&'a [&'a str]),
    /// Those this function knows; for issuers or audiences too many to list.
    Where(&'a dyn Fn(&str) -> bool),
}

/// What an API accepts.
#[derive(Debug, Clone, Copy)]
pub struct Validation<'a> {
    /// The issuers it trusts. All of them must be served by the given keys.
    pub issuers: Accepted<'a>,
    /// Its own identifiers: one of the token's audiences must be among them.
    pub audiences: Accepted<'a>,
    /// The moment of the check.
    pub now: Timestamp,
    /// By how many seconds the clocks may differ, for `exp` and `nbf`.
    pub leeway_secs: i64,
    /// The longest token looked at, in octets.
    pub max_len: usize,
}

/// What an authorization server accepts as a client's assertion.
#[derive(Debug, Clone, Copy)]
pub struct AssertionValidation<'a> {
    /// The client whose keys are given; `iss` and `sub` must be it.
    pub client_id: &'a str,
    /// The issuer at whose endpoint the assertion arrived: the one audience (RFC 7523 §3 as updated).
    pub issuer: &'a str,
    /// Further audiences for clients with the legacy switch: the token endpoint's URL.
    pub also_accepted: &'a [&'a str],
    /// The moment of the check.
    pub now: Timestamp,
}

/// Which check a token failed. The texts are made for the body of a 401: they help its holder and repeat nothing of
/// the token but its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Its form, kind, key or signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The payload is not one strict JSON object.
    #[error("the token's payload is not a JSON object with each claim once")]
    Payload,
    /// A claim every such token must have.
    #[error("the token has no '{0}' claim")]
    MissingClaim(&'static str),
    /// A claim is there and is not what it must be.
    #[error("the token's '{0}' claim is not of the right type")]
    MalformedClaim(&'static str),
    /// `iss` is not accepted here.
    #[error("the token was issued by somebody who is not trusted here (its 'iss' claim)")]
    Issuer,
    /// `aud` is somebody else.
    #[error("the token is for another audience (its 'aud' claim)")]
    Audience,
    /// `exp` has passed.
    #[error("the token expired at {at}")]
    Expired {
        /// Its `exp`.
        at: Timestamp,
    },
    /// `nbf` has not come.
    #[error("the token is not valid before {at}")]
    NotYetValid {
        /// Its `nbf`.
        at: Timestamp,
    },
    /// `iat` is later than the clocks' difference explains.
    #[error("the token says it was issued in the future, at {at}; compare the clocks")]
    IssuedInFuture {
        /// Its `iat`.
        at: Timestamp,
    },
    /// Of an assertion: `iss` and `sub` are not both the client.
    #[error("the assertion's 'iss' and 'sub' must both be the client_id")]
    Subject,
    /// Of an assertion: `exp` is too far away.
    #[error("the assertion must expire within {MAX_ASSERTION_LIFETIME_SECS} seconds")]
    LifetimeTooLong,
    /// Of an assertion: an empty or an oversize `jti`.
    #[error("the assertion's 'jti' must have 1 to {MAX_JTI_LEN} octets")]
    TokenId,
}

/// Verifies an access token (RFC 9068 §4).
///
/// ```
/// use ambit_protocol::claims::{AccessTokenClaims, Audience};
/// use ambit_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
/// use ambit_protocol::time::Timestamp;
/// use ambit_protocol::verify::{self, Accepted, TokenError, Validation};
///
/// let signer = SigningKey::generate(Algorithm::Es256)?;
/// let keys = VerifyingKeys::new(&JwkSet::new(vec![signer.public_jwk("k1")])?)?;
/// let claims = AccessTokenClaims::new("https://as.example", "till-7", Audience::One("https://pos.example"), "till-7", 1_000, 4_600, "t1");
/// let token = signer.sign(&signer.header("at+jwt", "k1"), &claims.to_json())?;
///
/// let validation = Validation::new(
///     Accepted::OneOf(&["https://as.example"]),
///     Accepted::OneOf(&["https://pos.example"]),
///     Timestamp::from_secs(2_000),
/// );
/// assert_eq!(verify::access_token(&token, &keys, &validation)?.client_id, "till-7");
///
/// let later = Validation { now: Timestamp::from_secs(5_000), ..validation };
/// let expired = TokenError::Expired { at: Timestamp::from_secs(4_600) };
/// assert_eq!(verify::access_token(&token, &keys, &later), Err(expired));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first check that failed; [`TokenError::is_unknown_key`] tells whether fresher keys might help.
pub fn access_token<K: KeySource + ?Sized>(
    token: &str,
    keys: &K,
    validation: &Validation<'_>,
) -> Result<Verified<AccessTokenClaims>, TokenError> {
    let rules = JwsRules { max_len: validation.max_len, typ: &["at+jwt"], typ_may_be_absent: false };
    let payload = jws::verify(token, rules, keys)?;
    let object = Object::parse(payload.bytes())?;
    let claims = AccessTokenClaims::from_object(&object)?;
    if !validation.issuers.contains(&claims.iss) {
        return Err(TokenError::Issuer);
    }
    if !claims.aud.iter().any(|audience| validation.audiences.contains(audience)) {
        return Err(TokenError::Audience);
    }
    let leeway = validation.leeway_secs;
    Times { iat: Some(claims.iat), exp: claims.exp, nbf: claims.nbf }.check(
        validation.now,
        leeway,
        leeway,
        MAX_FUTURE_SECS,
    )?;
    Ok(Verified { claims, algorithm: payload.algorithm(), kid: payload.into_kid() })
}

/// Verifies an ID token that comes back as a hint (OpenID Connect Core §3.1.2.1, RP-Initiated Logout 1.0 §2). When it expired is
/// not looked at: it says whom a client means, and proves nothing of who is there.
///
/// # Errors
/// The first check that failed.
pub fn id_token_hint<K: KeySource + ?Sized>(
    token: &str,
    keys: &K,
    issuer: &str,
) -> Result<Verified<IdTokenHint>, TokenError> {
    let rules = JwsRules { max_len: MAX_TOKEN_LEN, typ: &["JWT"], typ_may_be_absent: false };
    let payload = jws::verify(token, rules, keys)?;
    let object = Object::parse(payload.bytes())?;
    let claims = IdTokenHint::from_object(&object)?;
    if claims.iss != issuer {
        return Err(TokenError::Issuer);
    }
    Ok(Verified { claims, algorithm: payload.algorithm(), kid: payload.into_kid() })
}

/// Verifies a JWT by which a client authenticates (RFC 7523 §3).
///
/// Whether its `jti` was used before is for the caller to find out, with a memory that lasts until
/// [`AssertionClaims::remember_until`].
///
/// # Errors
/// The first check that failed. What the client is told is `invalid_client` and no more; the error is for the log.
pub fn client_assertion(
    assertion: &str,
    keys: &VerifyingKeys,
    validation: &AssertionValidation<'_>,
) -> Result<Verified<AssertionClaims>, TokenError> {
    // RFC 8725 §3.11: an access token or an ID token of the same client is no assertion.
    let rules =
        JwsRules { max_len: MAX_TOKEN_LEN, typ: &["JWT", "client-authentication+jwt"], typ_may_be_absent: true };
    let payload = jws::verify(assertion, rules, keys)?;
    let object = Object::parse(payload.bytes())?;
    let claims = AssertionClaims::from_object(&object)?;
    if claims.iss != validation.client_id || claims.sub != validation.client_id {
        return Err(TokenError::Subject);
    }
    if claims.aud != validation.issuer && !validation.also_accepted.contains(&claims.aud.as_str()) {
        return Err(TokenError::Audience);
    }
    if !(1..=MAX_JTI_LEN).contains(&claims.jti.len()) {
        return Err(TokenError::TokenId);
    }
    Times { iat: claims.iat, exp: claims.exp, nbf: claims.nbf }.check(
        validation.now,
        LEEWAY_SECS,
        MAX_ASSERTION_FUTURE_SECS,
        MAX_ASSERTION_FUTURE_SECS,
    )?;
    if claims.exp - validation.now.secs() > MAX_ASSERTION_LIFETIME_SECS {
        return Err(TokenError::LifetimeTooLong);
    }
    Ok(Verified { claims, algorithm: payload.algorithm(), kid: payload.into_kid() })
}

/// The client an assertion *claims* to come from, when the request does not name one (RFC 7521 §4.2: `client_id` is
/// optional beside an assertion).
///
/// Nothing was verified: use it to find the keys for [`client_assertion`] and for nothing else.
///
/// # Errors
/// [`TokenError`] when there is no `sub` to be had.
pub fn claimed_client_id(assertion: &str) -> Result<String, TokenError> {
    let payload = jws::unverified_payload(assertion, MAX_TOKEN_LEN)?;
    Ok(Object::parse(&payload)?.require("sub")?)
}

impl<T> Verified<T> {
    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &T {
        &self.claims
    }

    /// The claims, to keep.
    #[must_use]
    pub fn into_claims(self) -> T {
        self.claims
    }

    /// The algorithm of the key that verified the signature.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key the header names.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.claims
    }
}

impl Accepted<'_> {
    fn contains(&self, value: &str) -> bool {
        match self {
            Self::OneOf(accepted) => accepted.contains(&value),
            Self::Where(accepts) => accepts(value),
        }
    }
}

impl fmt::Debug for Accepted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(accepted) => f.debug_tuple("OneOf").field(accepted).finish(),
            Self::Where(_) => f.write_str("Where(..)"),
        }
    }
}

impl<'a> Validation<'a> {
    /// With the usual leeway (5 seconds) and length limit (16 KiB).
    #[must_use]
    pub const fn new(issuers: Accepted<'a>, audiences: Accepted<'a>, now: Timestamp) -> Self {
        Self { issuers, audiences, now, leeway_secs: LEEWAY_SECS, max_len: MAX_TOKEN_LEN }
    }
}

impl AssertionClaims {
    /// Until when its `jti` must be remembered: no later check can accept the assertion.
    #[must_use]
    pub const fn remember_until(&self) -> Timestamp {
        Timestamp::from_secs(self.exp + LEEWAY_SECS)
    }
}

impl TokenError {
    /// Whether no key was found: fresher keys might help.
    #[must_use]
    pub const fn is_unknown_key(&self) -> bool {
        matches!(self, Self::Jws(JwsError::UnknownKey))
    }

    /// A name for logs and metrics, out of a closed list.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jws(JwsError::TooLong) => "token_too_long",
            Self::Jws(JwsError::Malformed) => "token_malformed",
            Self::Jws(JwsError::Encrypted) => "token_encrypted",
            Self::Jws(JwsError::Critical) => "token_critical_header",
            Self::Jws(JwsError::Algorithm) => "token_algorithm",
            Self::Jws(JwsError::Typ) => "token_type",
            Self::Jws(JwsError::UnknownKey) => "token_unknown_key",
            Self::Jws(JwsError::KeyAlgorithm) => "token_key_algorithm",
            Self::Jws(JwsError::Signature) => "token_signature",
            Self::Payload => "token_payload",
            Self::MissingClaim(_) => "token_claim_missing",
            Self::MalformedClaim(_) => "token_claim_malformed",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Expired { .. } => "token_expired",
            Self::NotYetValid { .. } => "token_not_yet_valid",
            Self::IssuedInFuture { .. } => "token_issued_in_future",
            Self::Subject => "assertion_subject",
            Self::LifetimeTooLong => "assertion_lifetime",
            Self::TokenId => "assertion_jti",
        }
    }
}

impl From<Malformed> for TokenError {
    fn from(Malformed: Malformed) -> Self {
        Self::Payload
    }
}

impl From<Fault> for TokenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Missing(claim) => Self::MissingClaim(claim),
            Fault::WrongType(claim) => Self::MalformedClaim(claim),
        }
    }
}

struct Times {
    iat: Option<i64>,
    exp: i64,
    nbf: Option<i64>,
}

impl Times {
    /// RFC 7519 §4.1.4 and §4.1.5: refused on and after `exp`, and before `nbf`.
    fn check(&self, now: Timestamp, exp_leeway: i64, nbf_leeway: i64, iat_leeway: i64) -> Result<(), TokenError> {
        let secs = now.secs();
        if secs >= self.exp.saturating_add(exp_leeway) {
            return Err(TokenError::Expired { at: Timestamp::from_secs(self.exp) });
        }
        if let Some(nbf) = self.nbf.filter(|nbf| *nbf > secs.saturating_add(nbf_leeway)) {
            return Err(TokenError::NotYetValid { at: Timestamp::from_secs(nbf) });
        }
        match self.iat.filter(|iat| *iat > secs.saturating_add(iat_leeway)) {
            Some(iat) => Err(TokenError::IssuedInFuture { at: Timestamp::from_secs(iat) }),
            None => Ok(()),
        }
    }
}

/// By how much clocks may differ before a token lives longer.
pub const LEEWAY_SECS: i64 = 5;
/// How far an access token's `iat` may lie ahead.
pub const MAX_FUTURE_SECS: i64 = 60;
/// How far an assertion's `exp` may lie ahead: so long its `jti` must be remembered.
pub const MAX_ASSERTION_LIFETIME_SECS: i64 = 300;
/// How far an assertion's `iat` and `nbf` may lie ahead.
pub const MAX_ASSERTION_FUTURE_SECS: i64 = 10;
