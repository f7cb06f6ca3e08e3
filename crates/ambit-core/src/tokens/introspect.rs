//! Who may ask about a token, and what it still is (RFC 7662, and RFC 7009's "is it yours").

use ambit_protocol::admin::user::UserStatus;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::id::UserId;
use ambit_protocol::time::Timestamp;
use uuid::Uuid;

use crate::authorize;
use crate::client::{Client, Facts};
use crate::entropy::moment_of;
use crate::governance::catalogue::Catalogue;
use crate::governance::decision::{comes_with_a_bundle, meets_every_rule};
use crate::grants::check_tenant_is_open;
use crate::grants::client_credentials::rule_facts;
use crate::person::Person;
use crate::reach::{Owner, Reach};
use crate::store::RestoreEpoch;
use crate::subject::Subjects;

/// Whether a client may learn about a token: its own; one for an API whose resource server it is; one of an application
/// that it administers. To all others a token is not active, whatever it is (RFC 7662 §2.2).
#[must_use]
pub fn may_introspect(caller: &Client, claims: &AccessTokenClaims, token_owner: Owner, catalogue: &Catalogue) -> bool {
    let caller_id = &caller.application.client_id;
    if claims.client_id == caller_id.as_str() {
        return true;
    }
    // A tenant's resource server serves its tenant, even where the API is the platform's.
    let reaches_tenant = match (caller.owner().tenant_id(), &claims.tenant_id) {
        (None, _) => true,
        (Some(own), Some(theirs)) => own.to_string() == *theirs,
        (Some(_), None) => false,
    };
    let serves = claims.aud.iter().filter_map(|aud| catalogue.find_api(aud)).any(|api| {
        api.resource_servers.contains(caller_id)
            && Owner::from_ids(api.tenant_id, api.partner_id).offers_to(caller.owner())
    });
    let administers = caller.application.allowed_scopes.iter().any(|scope| ADMINISTERS.contains(&scope.as_str()))
        && reach_of(caller).covers(token_owner);
    (serves && reaches_tenant) || administers
}

/// How far an application reaches by its level.
#[must_use]
pub const fn reach_of(client: &Client) -> Reach {
    match client.owner() {
        Owner::Platform => Reach::Platform,
        Owner::Partner(partner) => Reach::Partner(partner),
        Owner::Tenant(tenant, partner) => Reach::Tenant(tenant, partner),
    }
}

/// Why a token whose signature and times are good is not active all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inactive {
    /// It was revoked.
    Revoked,
    /// It was issued before a restore: what was revoked since the backup is forgotten.
    LostInRestore,
    /// Its client or its tenant is gone, or another one of the same name was registered since.
    ClientGone,
    /// Its client is disabled.
    ClientDisabled,
    /// Its tenant is gone, or another one has its slug since.
    TenantGone,
    /// Its tenant, or the partner, is shut.
    TenantShut,
    /// The person it speaks for may not sign in, is gone, or belongs elsewhere.
    UserGone,
}

/// Whether a token was issued before the registry was restored from a backup. Whatever was revoked after the backup was made
/// is forgotten, and that may be any token from before: none of them counts any more.
#[must_use]
pub fn is_lost_in_restore(claims: &AccessTokenClaims, epoch: Option<RestoreEpoch>) -> bool {
    // Both are whole seconds: a restore takes effect with the second after it.
    epoch.is_some_and(|epoch| claims.iat < epoch.restored_at.secs())
}

/// Checks what a token's own text cannot tell, with the facts of now.
///
/// # Errors
/// [`Inactive`].
pub fn check_standing(claims: &AccessTokenClaims, facts: &Facts) -> Result<(), Inactive> {
    let application = &facts.client.application;
    // Names can be given again: a `client_id` by its registration, a slug with its tenant. What a token says of the one before
    // is not true of the next.
    if application.created_at > minted_at(claims) {
        return Err(Inactive::ClientGone);
    }
    let is_same_tenant = match (&claims.tenant_id, &facts.tenant) {
        (Some(id), Some(tenant)) => *id == tenant.tenant.id.to_string(),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !is_same_tenant {
        return Err(Inactive::TenantGone);
    }
    if application.status == ambit_protocol::admin::application::ApplicationStatus::Disabled {
        return Err(Inactive::ClientDisabled);
    }
    check_tenant_is_open(facts).map_err(|_| Inactive::TenantShut)
}

/// When a token was minted. Its `jti` knows it better than `iat`, which has whole seconds: many a client is registered and used
/// within one.
fn minted_at(claims: &AccessTokenClaims) -> Timestamp {
    Uuid::parse_str(&claims.jti).ok().as_ref().and_then(moment_of).unwrap_or_else(|| claims.issued_at())
}

/// Whether the person that a token speaks for still may: they are there, and active.
///
/// # Errors
/// [`Inactive::UserGone`].
pub fn check_person(person: Option<&Person>) -> Result<&Person, Inactive> {
    person.filter(|person| person.user.status == UserStatus::Active).ok_or(Inactive::UserGone)
}

/// Whom a token of this client speaks for, where that is a person; none where it is a service's own.
#[must_use]
pub fn user_of(claims: &AccessTokenClaims, client: &Client, subjects: &Subjects) -> Option<UserId> {
    // A service's token has its `client_id` for `sub`, whatever that reads like.
    if claims.sub == claims.client_id { None } else { subjects.user(&client.application, &claims.sub) }
}

/// What a token still holds: of the scopes it carries, those that would be granted now. A change never widens a token;
/// one that narrows shows here at once. What a person consented to is not asked again: when it is taken back, the grant ends.
pub fn still_carried<'c>(
    claims: &'c AccessTokenClaims,
    facts: &Facts,
    person: Option<&Person>,
    now: Timestamp,
) -> Vec<&'c str> {
    let resources: Vec<usize> = claims.aud.iter().filter_map(|aud| facts.catalogue.api_place(aud)).collect();
    let roles = person.map(|person| person.roles_at(now));
    let rule_facts = match &roles {
        Some(roles) => authorize::rule_facts(facts, &resources, roles, None, None, now),
        None => rule_facts(facts, &resources, now),
    };
    let names: Vec<&str> = claims.scopes().collect();
    let granted: Vec<&str> = names.iter().copied().filter(|name| meets_every_rule(name, &rule_facts)).collect();
    if granted.len() == names.len() {
        return names;
    }
    let carries = |name: &str| granted.contains(&name);
    names.into_iter().filter(|name| carries(name) || comes_with_a_bundle(name, carries, &rule_facts)).collect()
}

const ADMINISTERS: [&str; 2] = ["admin:read", "admin:write"];
