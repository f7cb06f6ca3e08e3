//! ID tokens, and what is told of a person (OpenID Connect Core §2, §5).

use std::time::Duration;

use ambit_protocol::admin::text::Name;
use ambit_protocol::admin::user::User;
use ambit_protocol::claims::{AboutUser, IdTokenClaims};
use ambit_protocol::jose::Algorithm;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::authorize::Lent;
use crate::keys::Signer;
use crate::refusal::Refusal;

/// What an ID token is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Who.
    pub user: &'a User,
    /// Their name for this client.
    pub subject: &'a str,
    /// What was lent.
    pub lent: &'a Lent,
    /// What the request had as `nonce`.
    pub nonce: Option<&'a str>,
    /// The access token beside it.
    pub access_token: Option<&'a str>,
    /// The scopes granted now.
    pub granted: &'a [ScopeToken],
    /// How long it is good for.
    pub lifetime: Duration,
}

/// Signs an ID token.
///
/// # Errors
/// [`Refusal::Internal`] where the key does not sign.
pub fn sign(about: &About<'_>, issuer: &str, signer: &Signer, now: Timestamp) -> Result<String, Refusal> {
    let About { user, lent, .. } = about;
    let session = lent.session_id.to_string();
    let methods: Vec<&str> = lent.amr.iter().map(String::as_str).collect();
    let claims = IdTokenClaims {
        iss: issuer,
        sub: about.subject,
        aud: &lent.client_id,
        iat: now.secs(),
        exp: Some((now + about.lifetime).secs()),
        auth_time: Some(lent.auth_time.secs()),
        nonce: about.nonce,
        acr: Some(&lent.acr),
        amr: &methods,
        at_hash: about.access_token.map(|token| half_hash(token, signer.key.algorithm())),
        sid: Some(&session),
        // OpenID Connect Core §5.4: with an access token, what scopes ask for comes from the userinfo endpoint; what is asked
        // for by name in `claims` comes here (§5.5).
        about: tell(user, &Asked { scopes: &[], names: &lent.id_token_claims, within: about.granted }),
    };
    let claims = serde_json::to_vec(&claims)
        .map_err(|error| Refusal::Internal { reason: format!("an ID token's claims: {error}") })?;
    let header = signer.key.header("JWT", &signer.kid);
    signer
        .key
        .sign(&header, &claims)
        .map_err(|error| Refusal::Internal { reason: format!("signing with {}: {error}", signer.kid) })
}

/// Of whom what is told.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The scopes whose claims are all told.
    pub scopes: &'a [ScopeToken],
    /// Claims asked for by name.
    pub names: &'a [String],
    /// The scopes granted: no name is told whose scope is not among them.
    pub within: &'a [ScopeToken],
}

/// What is told of a person.
#[must_use]
pub fn tell<'u>(user: &'u User, asked: &Asked<'_>) -> AboutUser<'u> {
    let holds = |list: &[ScopeToken], scope: &str| list.iter().any(|held| held.as_str() == scope);
    let is_told = |scope: &str, name: &str| {
        holds(asked.scopes, scope) || asked.names.iter().any(|asked| asked == name) && holds(asked.within, scope)
    };
    let profile = |name| is_told("profile", name);
    let name = || {
        let parts = [&user.given_name, &user.family_name];
        let joined: Vec<&str> = parts.into_iter().flatten().map(Name::as_str).collect();
        match &user.display_name {
            Some(name) => Some(name.as_str().into()),
            None => (!joined.is_empty()).then(|| joined.join(" ").into()),
        }
    };
    AboutUser {
        name: if profile("name") { name() } else { None },
        given_name: user.given_name.as_ref().filter(|_| profile("given_name")).map(Name::as_str),
        family_name: user.family_name.as_ref().filter(|_| profile("family_name")).map(Name::as_str),
        locale: user.locale.as_deref().filter(|_| profile("locale")),
        updated_at: profile("updated_at").then(|| user.updated_at.secs()),
        email: is_told("email", "email").then(|| user.email.as_str()),
        email_verified: is_told("email", "email_verified").then_some(user.email_verified),
    }
}

/// OpenID Connect Core §3.1.3.6: "the base64url encoding of the left-most half of the hash of the octets of the ASCII
/// representation of the `access_token` value", by the hash of the signature's algorithm.
fn half_hash(token: &str, algorithm: Algorithm) -> String {
    // EdDSA over Curve25519 hashes with SHA-512.
    let hash = digest(if algorithm == Algorithm::EdDsa { &SHA512 } else { &SHA256 }, token.as_bytes());
    let octets = hash.as_ref();
    BASE64_URL_SAFE_NO_PAD.encode(&octets[..octets.len() / 2])
}

/// The claims that there are about people, for discovery.
pub const CLAIMS: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "sid",
    "name",
    "given_name",
    "family_name",
    "locale",
    "email",
    "email_verified",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_hash_is_the_one_of_the_specification() {
        // OpenID Connect Core Appendix A.3: the token and the hash of its example.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(token, Algorithm::Es256), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
