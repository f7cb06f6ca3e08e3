//! Roles that users and groups hold: until when, and what follows from them.
//!
//! A role opens the scopes that ask for it. So whoever gives somebody a role, by a list or by making them a member of a group,
//! passes on what the role opens: scopes that give power only if they hold them.

use ambit_protocol::admin::scope::{Scope, ScopeState};
use ambit_protocol::admin::user::RoleGrant;

use super::error::OpenedByRole;
use super::{Edit, Faults, Forbidden, RegistryError};
use crate::reach::{Owner, Reach};
use crate::store::Filter;
use crate::store::noun::{self, Noun as _};

/// Looks at every role that is new in a list. Faults go into `faults`; answered are those that open what the caller does not
/// hold.
pub(super) async fn check_roles(
    edit: &Edit<'_>,
    faults: &mut Faults,
    owner: Owner,
    roles: &[RoleGrant],
    before: &[RoleGrant],
) -> Result<Vec<OpenedByRole>, RegistryError> {
    let max = edit.settings.limits.list_entries;
    if roles.len() > max {
        faults.add("/roles", format!("has {} entries, and list_entries allows {max}", roles.len()));
        return Ok(vec![]);
    }
    let mut not_held = vec![];
    for (place, grant) in roles.iter().enumerate() {
        if roles[..place].iter().any(|other| other.role == grant.role) {
            faults.add(format!("/roles/{place}/role"), "is there twice");
        }
        // What was held already may stay, and may have ended since.
        if before.contains(grant) {
            continue;
        }
        if !grant.is_held(edit.now()) {
            faults.add(format!("/roles/{place}/expires_at"), "must be in the future");
        }
        not_held.extend(opened_beyond(edit, owner, grant, Some(place)).await?);
    }
    Ok(not_held)
}

/// Whoever makes somebody a member gives them the roles of the group and of those it is in.
pub(super) async fn require_held(edit: &Edit<'_>, owner: Owner, roles: &[RoleGrant]) -> Result<(), RegistryError> {
    let mut not_held = vec![];
    for grant in roles.iter().filter(|grant| grant.is_held(edit.now())) {
        not_held.extend(opened_beyond(edit, owner, grant, None).await?);
    }
    refuse(not_held)
}

/// Refuses where something is not held.
pub(super) fn refuse(not_held: Vec<OpenedByRole>) -> Result<(), RegistryError> {
    if not_held.is_empty() { Ok(()) } else { Err(Forbidden::RoleNotHeld { roles: not_held }.into()) }
}

/// What a role opens for people of an owner that the caller may not pass on.
async fn opened_beyond(
    edit: &Edit<'_>,
    owner: Owner,
    grant: &RoleGrant,
    place: Option<usize>,
) -> Result<Vec<OpenedByRole>, RegistryError> {
    let quoted = serde_json::Value::from(grant.role.as_str()).to_string();
    let filter = Filter { mentions: Some(&quoted), ..Filter::default() };
    let mut beyond = vec![];
    // Scopes above the caller too: what they open is opened, whoever sees them.
    for scope in noun::list::<Scope>(edit.tx, &filter, Reach::Platform).await? {
        let is_opened =
            scope.roles.contains(&grant.role) && scope.state != ScopeState::Retired && scope.owner().offers_to(owner);
        if is_opened && !edit.may_pass_on(&scope).await? {
            beyond.push(OpenedByRole { place, role: grant.role.clone(), scope: scope.name });
        }
    }
    Ok(beyond)
}
