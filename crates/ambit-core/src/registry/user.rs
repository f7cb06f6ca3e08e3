//! Users: the people of a tenant, of a partner or of the platform.

use std::collections::BTreeMap;

use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::credential::{Credential, CredentialKind};
use ambit_protocol::admin::group::{GroupOfUser, Membership};
use ambit_protocol::admin::text::{Name, is_language};
use ambit_protocol::admin::user::{CreateUser, PatchUser, User, UserStatus};
use ambit_protocol::id::UserId;
use ambit_protocol::time::Timestamp;

use super::administrator::SuperAdminWatch;
use super::error::OpenedByRole;
use super::role::{check_roles, refuse};
use super::{Conflict, Edit, Faults, RegistryError, see, tenant};
use crate::entropy::new_id;
use crate::person::groups_above;
use crate::reach::Reach;
use crate::store::noun::{self, Noun};
use crate::store::{Filter, Reads};

/// Makes a user. They have nothing to sign in with yet.
///
/// # Errors
/// [`RegistryError::Invalid`]; [`Forbidden::RoleNotHeld`](super::Forbidden::RoleNotHeld);
/// [`Conflict::LimitReached`] for the partner's quota;
/// [`Conflict::Taken`] for the address.
pub async fn create(edit: &Edit<'_>, body: CreateUser) -> Result<User, RegistryError> {
    edit.require_write()?;
    let owner = edit.resolve_owner(body.tenant_id, body.partner_id).await?;
    let user = User {
        id: new_id(edit.now(), edit.entropy),
        tenant_id: owner.tenant_id(),
        partner_id: owner.partner_id(),
        email: body.email,
        email_verified: body.email_verified,
        display_name: body.display_name,
        given_name: body.given_name,
        family_name: body.family_name,
        locale: body.locale,
        status: body.status,
        roles: body.roles,
        custom_attributes: body.custom_attributes,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    refuse(check(edit, &user, None).await?)?;
    tenant::require_room_for_a_user(edit, owner).await?;
    Ok(noun::insert(edit.tx, user, None).await?)
}

/// Changes a user. An address is verified for itself: another one is not, unless the body says so.
///
/// # Errors
/// As for [`create`]; [`RegistryError::NotFound`];
/// [`Conflict::LastSuperAdmin`] where the last one could sign in no more.
pub async fn patch(edit: &Edit<'_>, id: &str, body: PatchUser) -> Result<User, RegistryError> {
    let before: User = edit.see(id).await?;
    edit.require_covers(&before)?;
    let mut after = before.clone();
    let PatchUser {
        email,
        email_verified,
        display_name,
        given_name,
        family_name,
        locale,
        status,
        roles,
        custom_attributes,
    } = body;
    if let Some(email) = email.filter(|email| *email != before.email) {
        after.email = email;
        after.email_verified = false;
    }
    // A thing sent back as it was read says of the old address that it is verified; with another one beside it, whoever sends
    // it says so of that.
    after.email_verified = email_verified.unwrap_or(after.email_verified);
    after.display_name = display_name.unwrap_or(after.display_name);
    after.given_name = given_name.unwrap_or(after.given_name);
    after.family_name = family_name.unwrap_or(after.family_name);
    after.locale = locale.unwrap_or(after.locale);
    after.status = status.unwrap_or(after.status);
    after.roles = roles.unwrap_or(after.roles);
    after.custom_attributes = custom_attributes.unwrap_or(after.custom_attributes);
    refuse(check(edit, &after, Some(&before)).await?)?;
    let watch = SuperAdminWatch::of_people(edit, before.owner()).await?;
    let after = edit.replace(&before, after).await?;
    watch.after(edit).await?;
    Ok(after)
}

/// Somebody who can be invited: who has nothing to sign in with yet.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`super::Forbidden`]; [`Conflict::NotToInvite`].
pub async fn invitable(edit: &Edit<'_>, id: &str) -> Result<User, RegistryError> {
    let user: User = edit.see(id).await?;
    edit.require_covers(&user)?;
    let state = match user.status {
        UserStatus::Invited => return Ok(user),
        UserStatus::Disabled => "is disabled",
        UserStatus::Active => {
            let parent = user.id.to_string();
            let filter = Filter { parent: Some(&parent), ..Filter::default() };
            let credentials = noun::list::<Credential>(edit.tx, &filter, Reach::Platform).await?;
            let signs_in = |it: &Credential| matches!(it.kind, CredentialKind::Password | CredentialKind::Passkey);
            if !credentials.iter().any(signs_in) {
                return Ok(user);
            }
            "has come already"
        }
    };
    Err(Conflict::NotToInvite { id: user.id.to_string(), state }.into())
}

/// Notes that somebody read what was sent to their address. Whoever was invited has come with that.
///
/// # Errors
/// [`super::Forbidden`]; those of the store.
pub async fn prove_address(edit: &Edit<'_>, user: &User) -> Result<User, RegistryError> {
    edit.require_covers(user)?;
    let status = if user.status == UserStatus::Invited { UserStatus::Active } else { user.status };
    edit.replace(user, User { email_verified: true, status, ..user.clone() }).await
}

/// What people say of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnProfile {
    /// What others call them.
    pub display_name: Option<Name>,
    /// Given name.
    pub given_name: Option<Name>,
    /// Family name.
    pub family_name: Option<Name>,
    /// The language they read: a BCP 47 tag.
    pub locale: Option<String>,
}

/// Changes what a person says of themselves. Their address, status and roles are for others to say.
///
/// # Errors
/// [`RegistryError::Invalid`] for the language; those of the store.
pub async fn patch_own(edit: &Edit<'_>, id: UserId, profile: OwnProfile) -> Result<User, RegistryError> {
    let OwnProfile { display_name, given_name, family_name, locale } = profile;
    let body = PatchUser {
        display_name: Some(display_name),
        given_name: Some(given_name),
        family_name: Some(family_name),
        locale: Some(locale),
        ..PatchUser::default()
    };
    patch(edit, &id.to_string(), body).await
}

/// Takes a user away for good, with their credentials, memberships and administrators' roles. Whoever is made next, even with
/// the same address, is somebody else: an identifier is never given again.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Conflict::LastSuperAdmin`].
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let user: User = edit.see(id).await?;
    edit.require_covers(&user)?;
    let watch = SuperAdminWatch::of_people(edit, user.owner()).await?;
    let id = user.id.to_string();
    delete_parts::<Credential>(edit, &id).await?;
    delete_parts::<Membership>(edit, &id).await?;
    delete_parts::<Administrator>(edit, &id).await?;
    noun::delete(edit.tx, &user).await?;
    watch.after(edit).await
}

/// The groups a user is in, through other groups too, the nearest first.
///
/// # Errors
/// [`RegistryError::NotFound`].
pub async fn groups(reads: &(impl Reads + ?Sized), id: &str, reach: Reach) -> Result<Vec<GroupOfUser>, RegistryError> {
    let user: User = see(reads, id, reach).await?;
    let above = groups_above(reads, &user.id.to_string()).await?;
    Ok(above
        .into_iter()
        .map(|it| GroupOfUser { id: it.group.id, name: it.group.name, direct: it.is_direct, roles: it.group.roles })
        .collect())
}

/// Takes away what is a part of something.
pub(super) async fn delete_parts<N: Noun>(edit: &Edit<'_>, parent: &str) -> Result<(), RegistryError> {
    let parts = Filter { parent: Some(parent), ..Filter::default() };
    for part in noun::list::<N>(edit.tx, &parts, Reach::Platform).await? {
        noun::delete(edit.tx, &part).await?;
    }
    Ok(())
}

/// Everything that must hold for a user, whether they are new or changed. Answers the roles that the caller cannot give.
async fn check(edit: &Edit<'_>, user: &User, before: Option<&User>) -> Result<Vec<OpenedByRole>, RegistryError> {
    let mut faults = Faults::default();
    faults.add_unless(
        user.locale.as_deref().is_none_or(is_language),
        "/locale",
        "must be a BCP 47 tag such as en or zh-Hans",
    );
    check_attributes(&mut faults, &user.custom_attributes, edit.settings.limits.list_entries);
    let held_before = before.map_or(&[][..], |before| &before.roles);
    let not_held = check_roles(edit, &mut faults, user.owner(), &user.roles, held_before).await?;
    faults.into_result()?;
    Ok(not_held)
}

fn check_attributes(faults: &mut Faults, attributes: &BTreeMap<String, String>, max: usize) {
    if attributes.len() > max {
        let there = attributes.len();
        faults.add("/custom_attributes", format!("has {there} entries, and list_entries allows {max}"));
        return;
    }
    for (name, value) in attributes {
        // RFC 6901 §3: "'~' needs to be encoded as '~0' and '/' needs to be encoded as '~1'".
        let pointer = || format!("/custom_attributes/{}", name.replace('~', "~0").replace('/', "~1"));
        if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            faults.add(pointer(), "a name has 1 to 64 characters, none of them a control character");
        }
        if value.chars().count() > MAX_VALUE_CHARS || value.chars().any(|c| c.is_control() && c != '\n') {
            faults.add(pointer(), "a value has at most 1000 characters and no control characters");
        }
    }
}

const MAX_NAME_CHARS: usize = 64;
const MAX_VALUE_CHARS: usize = 1000;
