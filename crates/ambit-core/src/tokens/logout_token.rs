//! Logout tokens: what tells an application that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.4).

use ambit_protocol::claims::{LogoutEvents, LogoutTokenClaims};
use ambit_protocol::time::Timestamp;
use uuid::Uuid;

use crate::keys::Signer;
use crate::refusal::Refusal;

/// Which session of whom has ended, and who is told.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The person's name for the client.
    pub subject: &'a str,
    /// The session.
    pub session: &'a str,
    /// The client.
    pub client_id: &'a str,
}

/// Signs a logout token.
///
/// # Errors
/// [`Refusal::Internal`] where the key does not sign.
pub fn sign(ended: &Ended<'_>, issuer: &str, signer: &Signer, jti: Uuid, now: Timestamp) -> Result<String, Refusal> {
    let jti = jti.to_string();
    let claims = LogoutTokenClaims {
        iss: issuer,
        sub: ended.subject,
        aud: ended.client_id,
        iat: now.secs(),
        exp: now.secs() + LIFETIME_SECS,
        jti: &jti,
        sid: ended.session,
        events: LogoutEvents::default(),
    };
    let claims = serde_json::to_vec(&claims)
        .map_err(|error| Refusal::Internal { reason: format!("a logout token's claims: {error}") })?;
    // §2.4: "it is RECOMMENDED that logout tokens be explicitly typed … by including a `typ` header parameter with a value of
    // `logout+jwt`", so that none is taken for an ID token (§2.7).
    let header = signer.key.header("logout+jwt", &signer.kid);
    signer
        .key
        .sign(&header, &claims)
        .map_err(|error| Refusal::Internal { reason: format!("signing with {}: {error}", signer.kid) })
}

/// §2.4: it is "RECOMMENDED that an expiration time that is only a short time in the future, preferably at most two minutes, be
/// used".
const LIFETIME_SECS: i64 = 120;
