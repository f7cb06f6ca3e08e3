//! Issuing: the invariant, the claims, the signature. The last door before a token exists.

use ambit_protocol::claims::{AccessTokenClaims, Audience};
use ambit_protocol::time::Timestamp;
use uuid::Uuid;

use crate::client::Facts;
use crate::governance::invariant;
use crate::grants::{Grant, client_credentials};
use crate::keys::Signer;
use crate::refusal::Refusal;

/// A token that was just made.
pub struct IssuedToken {
    /// The token, in the clear.
    pub access_token: String,
    /// What it carries, as one string.
    pub scope: String,
    /// For how long.
    pub lifetime_secs: u32,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Issues a service's token (RFC 9068).
///
/// # Errors
/// [`Refusal::Internal`]: a broken invariant, which must never happen and is never signed; or a key that does not sign.
pub fn service_token(
    grant: &Grant,
    facts: &Facts,
    issuer: &str,
    signer: &Signer,
    jti: Uuid,
    now: Timestamp,
) -> Result<IssuedToken, Refusal> {
    let rule_facts = client_credentials::rule_facts(facts, &grant.resources, now);
    invariant::check(&grant.decision.carried, grant.requested.as_deref(), &rule_facts)
        .map_err(|violation| Refusal::Internal { reason: format!("invariant: {violation}") })?;

    let application = &facts.client.application;
    let scope = ambit_protocol::scope::join(&grant.decision.carried);
    let audience = match grant.audience.as_slice() {
        // RFC 9068 §2.2 requires `aud`; a token for no API is for the issuer itself.
        [] => Audience::One(issuer),
        [one] => Audience::One(one.as_str()),
        several => Audience::Many(several.iter().map(String::as_str).collect()),
    };
    let mut jti_text = Uuid::encode_buffer();
    let client_id = application.client_id.as_str();
    let iat = now.secs();
    let tenant = facts.tenant.as_ref().map(|tenant| &tenant.tenant);
    let tenant_id = tenant.map(|tenant| tenant.id.to_string());
    let partner_id = tenant.and_then(|tenant| tenant.partner_id).or(application.partner_id).map(|id| id.to_string());
    let unit_id = facts.unit.as_ref().map(|unit| unit.id.to_string());
    let claims = AccessTokenClaims {
        // RFC 6749 §3.3 has no empty scope: a token without scopes has no such claim.
        scope: (!scope.is_empty()).then_some(scope.as_str()),
        tenant_id: tenant_id.as_deref(),
        tenant_slug: tenant.map(|tenant| tenant.slug.as_str()),
        partner_id: partner_id.as_deref(),
        unit_id: unit_id.as_deref(),
        level: Some(application.level.as_str()),
        rev: Some(facts.revision),
        ..AccessTokenClaims::new(
            issuer,
            // RFC 9068 §2.2: without a resource owner "the value of `sub` SHOULD correspond to an identifier the
            // authorization server uses to indicate the client application".
            client_id,
            audience,
            client_id,
            iat,
            iat + i64::from(grant.lifetime_secs),
            jti.hyphenated().encode_lower(&mut jti_text),
        )
    };
    let access_token = signer
        .key
        .sign(&signer.access_token_header, &claims.to_json())
        .map_err(|error| Refusal::Internal { reason: format!("signing with {}: {error}", signer.kid) })?;
    Ok(IssuedToken { access_token, scope, lifetime_secs: grant.lifetime_secs })
}
