//! Issuing: the invariant, the claims, the signature. The last door before a token exists.

use ambit_protocol::admin::text::RoleName;
use ambit_protocol::claims::{AccessTokenClaims, Audience};
use ambit_protocol::time::Timestamp;
use uuid::Uuid;

use crate::client::Facts;
use crate::governance::{invariant, rules};
use crate::grants::lent::Lending;
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

/// On whose behalf a user's token is issued.
#[derive(Debug, Clone, Copy)]
pub struct OnBehalf<'a> {
    /// What was lent, and by whom.
    pub lending: Lending<'a>,
    /// The grant it is part of, and ends with.
    pub grant_id: &'a str,
    /// The person's name for this client.
    pub subject: &'a str,
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
    check(grant, &client_credentials::rule_facts(facts, &grant.resources, now))?;
    let application = &facts.client.application;
    let level = Some(application.level.as_str());
    // RFC 9068 §2.2: without a resource owner "the value of `sub` SHOULD correspond to an identifier the authorization server
    // uses to indicate the client application".
    let subject = application.client_id.as_str();
    sign(grant, facts, (issuer, subject), signer, (jti, now), Own { level, ..Own::default() })
}

/// Issues the token of a client that acts for a person (RFC 9068).
///
/// # Errors
/// As for [`service_token`].
pub fn user_token(
    grant: &Grant,
    behalf: &OnBehalf<'_>,
    issuer: &str,
    signer: &Signer,
    jti: Uuid,
    now: Timestamp,
) -> Result<IssuedToken, Refusal> {
    let Lending { lent, facts, person, roles, .. } = behalf.lending;
    check(grant, &behalf.lending.rule_facts(&grant.resources, now))?;
    let groups: Vec<String> = person.groups.iter().map(ToString::to_string).collect();
    let own = Own {
        level: None,
        roles: within(roles.iter().map(RoleName::as_str).collect()),
        groups: within(groups.iter().map(String::as_str).collect()),
        auth_time: Some(lent.auth_time.secs()),
        acr: Some(lent.acr.as_str()),
        amr: lent.amr.iter().map(String::as_str).collect(),
        grant_id: Some(behalf.grant_id),
    };
    sign(grant, facts, (issuer, behalf.subject), signer, (jti, now), own)
}

/// The claims that a service's token and a user's do not have in common.
#[derive(Default)]
struct Own<'a> {
    level: Option<&'a str>,
    roles: Vec<&'a str>,
    groups: Vec<&'a str>,
    auth_time: Option<i64>,
    acr: Option<&'a str>,
    amr: Vec<&'a str>,
    grant_id: Option<&'a str>,
}

/// A token that names a person's hundredth role is too long for many a header. Past [`MOST_NAMED`] it names none: a reader that
/// finds some would take them for all. Who needs them asks the admin API.
fn within(names: Vec<&str>) -> Vec<&str> {
    if names.len() > MOST_NAMED { vec![] } else { names }
}

fn check(grant: &Grant, rule_facts: &rules::Facts<'_>) -> Result<(), Refusal> {
    invariant::check(&grant.decision.carried, grant.requested.as_deref(), rule_facts)
        .map_err(|violation| Refusal::Internal { reason: format!("invariant: {violation}") })
}

/// Fills in what all access tokens have, and signs.
fn sign(
    grant: &Grant,
    facts: &Facts,
    (issuer, subject): (&str, &str),
    signer: &Signer,
    (jti, now): (Uuid, Timestamp),
    own: Own<'_>,
) -> Result<IssuedToken, Refusal> {
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
        level: own.level,
        roles: own.roles,
        groups: own.groups,
        auth_time: own.auth_time,
        acr: own.acr,
        amr: own.amr,
        grant_id: own.grant_id,
        rev: Some(facts.revision),
        ..AccessTokenClaims::new(
            issuer,
            subject,
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

/// The most roles, and the most groups, that a token names.
pub const MOST_NAMED: usize = 100;
