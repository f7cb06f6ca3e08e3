//! Groups: people who hold roles together. A group and all who are in it have one owner, and no group is in itself.

use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::group::{CreateGroup, Group, Member, Membership, PatchGroup};
use ambit_protocol::admin::user::{RoleGrant, User};
use ambit_protocol::id::GroupId;
use ambit_protocol::time::Timestamp;
use hashbrown::HashSet;

use super::administrator::SuperAdminWatch;
use super::role::{check_roles, refuse, require_held};
use super::user::delete_parts;
use super::{Conflict, Edit, Faults, RegistryError, count_all};
use crate::entropy::new_id;
use crate::person::groups_above;
use crate::reach::{Owner, Reach};
use crate::store::noun::{self, Noun as _};
use crate::store::{By, Filter, Reads};

/// Makes a group without members.
///
/// # Errors
/// [`RegistryError::Invalid`]; [`Forbidden::RoleNotHeld`](super::Forbidden::RoleNotHeld); [`Conflict::Taken`] for the name.
pub async fn create(edit: &Edit<'_>, body: CreateGroup) -> Result<Group, RegistryError> {
    edit.require_write()?;
    let owner = edit.resolve_owner(body.tenant_id, body.partner_id).await?;
    let group = Group {
        id: new_id(edit.now(), edit.entropy),
        tenant_id: owner.tenant_id(),
        partner_id: owner.partner_id(),
        name: body.name,
        description: body.description,
        roles: body.roles,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    check(edit, &group, &[]).await?;
    Ok(noun::insert(edit.tx, group, None).await?)
}

/// Changes a group. A role that is new in its list is given to all its members.
///
/// # Errors
/// As for [`create`]; [`RegistryError::NotFound`].
pub async fn patch(edit: &Edit<'_>, id: &str, body: PatchGroup) -> Result<Group, RegistryError> {
    let before: Group = edit.see(id).await?;
    edit.require_covers(&before)?;
    let mut after = before.clone();
    let PatchGroup { name, description, roles } = body;
    after.name = name.unwrap_or(after.name);
    after.description = description.unwrap_or(after.description);
    after.roles = roles.unwrap_or(after.roles);
    check(edit, &after, &before.roles).await?;
    edit.replace(&before, after).await
}

/// Takes a group away, with its memberships and its administrators' roles. Who was in it stays.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Conflict::LastSuperAdmin`].
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let group: Group = edit.see(id).await?;
    edit.require_covers(&group)?;
    let watch = SuperAdminWatch::of_people(edit, group.owner()).await?;
    let id = group.id.to_string();
    for membership in memberships(edit.tx, group.id).await? {
        noun::delete(edit.tx, &membership).await?;
    }
    delete_parts::<Membership>(edit, &id).await?;
    delete_parts::<Administrator>(edit, &id).await?;
    noun::delete(edit.tx, &group).await?;
    watch.after(edit).await
}

/// Makes somebody a member. Whoever is one already stays one: then the second is `false`.
///
/// Membership gives what the group gives: so whoever adds a member must hold what the roles of the group, and of the groups it is
/// in, open. Of administrators' roles that is so already: nobody holds one that reaches further than their owner does, and whoever
/// changes a group reaches all of its owner.
///
/// # Errors
/// [`RegistryError::NotFound`] for the group and for the member; [`RegistryError::Invalid`] for a member of another owner, where
/// the group would be in itself and where too many would stand one in another; [`Forbidden::RoleNotHeld`](super::Forbidden::RoleNotHeld); [`Conflict::LimitReached`].
pub async fn add_member(edit: &Edit<'_>, id: &str, member: &str) -> Result<(Membership, bool), RegistryError> {
    let group: Group = edit.see(id).await?;
    let (member, owner_of_member) = find_member(edit, member).await?;
    edit.require_covers(&group)?;
    let owner = group.owner();
    if owner_of_member != owner {
        return Err(RegistryError::invalid("{member}", "does not belong to the owner of the group"));
    }
    let membership = Membership {
        group_id: group.id,
        member,
        tenant_id: group.tenant_id,
        partner_id: group.partner_id,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    if let Some(there) = noun::find::<Membership>(edit.tx, By::Id(&membership.id()), edit.reach()).await? {
        return Ok((there, false));
    }
    let (max, of_member) = (edit.settings.limits.groups_per_member as u64, member.to_string());
    let direct = Filter { parent: Some(&of_member), ..Filter::default() };
    let count = count_all::<Membership>(edit.tx, &direct).await?;
    if count >= max {
        return Err(Conflict::LimitReached { limit: "groups_per_member", max, count }.into());
    }
    let above = groups_above(edit.tx, &group.id.to_string()).await?;
    if let Member::Group(nested) = member {
        if nested == group.id || above.iter().any(|it| it.group.id == nested) {
            return Err(RegistryError::invalid("{member}", "would be in itself: the group is in it"));
        }
        require_depth(edit, group.id, nested).await?;
    }
    let conferred: Vec<RoleGrant> =
        group.roles.iter().chain(above.iter().flat_map(|it| &it.group.roles)).cloned().collect();
    require_held(edit, owner, &conferred).await?;
    Ok((noun::insert(edit.tx, membership, None).await?, true))
}

/// Ends a membership.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Conflict::LastSuperAdmin`].
pub async fn remove_member(edit: &Edit<'_>, id: &str, member: &str) -> Result<(), RegistryError> {
    let membership: Membership = edit.see(&membership_id(id, member)).await?;
    edit.require_covers(&membership)?;
    let watch = SuperAdminWatch::of_people(edit, membership.owner()).await?;
    noun::delete(edit.tx, &membership).await?;
    watch.after(edit).await
}

/// A membership's identifier.
#[must_use]
pub fn membership_id(group: &str, member: &str) -> String {
    format!("{group}/{member}")
}

/// The direct members of a group, by identifier: all of them.
pub(super) async fn memberships(
    reads: &(impl Reads + ?Sized),
    group: GroupId,
) -> Result<Vec<Membership>, RegistryError> {
    let mut found: Vec<Membership> = vec![];
    loop {
        let after = found.last().map_or_else(|| first_member(group), Membership::id);
        let page = members_after(reads, group, &after, PAGE, Reach::Platform).await?;
        let is_last = page.len() < PAGE as usize;
        found.extend(page);
        if is_last {
            return Ok(found);
        }
    }
}

/// The direct members of a group behind a membership's identifier.
///
/// # Errors
/// Those of the store.
pub async fn members_after(
    reads: &(impl Reads + ?Sized),
    group: GroupId,
    after: &str,
    limit: u32,
    reach: Reach,
) -> Result<Vec<Membership>, RegistryError> {
    let filter = Filter { after: Some(after), limit: Some(limit), ..Filter::default() };
    let mut page: Vec<Membership> = noun::list(reads, &filter, reach).await?;
    // The members of a group stand together; behind them begin those of the next.
    page.retain(|it| it.group_id == group);
    Ok(page)
}

/// What stands before the first membership of a group.
#[must_use]
pub fn first_member(group: GroupId) -> String {
    membership_id(&group.to_string(), "")
}

/// The member that a path names, seen by the caller, and whose they are.
async fn find_member(edit: &Edit<'_>, id: &str) -> Result<(Member, Owner), RegistryError> {
    let Ok(member) = id.parse::<Member>() else {
        return Err(RegistryError::NotFound { resource: Resource::User, id: id.to_owned() });
    };
    let owner = match member {
        Member::User(_) => edit.see::<User>(id).await?.owner(),
        Member::Group(_) => edit.see::<Group>(id).await?.owner(),
    };
    Ok((member, owner))
}

async fn check(edit: &Edit<'_>, group: &Group, roles_before: &[RoleGrant]) -> Result<(), RegistryError> {
    let mut faults = Faults::default();
    let not_held = check_roles(edit, &mut faults, group.owner(), &group.roles, roles_before).await?;
    faults.into_result()?;
    refuse(not_held)
}

/// No group stands below more than so many: the longest way up from the group, and the longest way down from what is put into it.
async fn require_depth(edit: &Edit<'_>, group: GroupId, nested: GroupId) -> Result<(), RegistryError> {
    let max = edit.settings.limits.group_depth;
    if longest_way(edit, group, Way::Up).await? + 1 + longest_way(edit, nested, Way::Down).await? <= max {
        return Ok(());
    }
    let message = format!("would stand below more than {max} groups, or what is in it would (group_depth)");
    Err(RegistryError::invalid("{member}", message))
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

/// How many groups stand one above another, or one below another, from a group on; counted no further than matters.
async fn longest_way(edit: &Edit<'_>, from: GroupId, way: Way) -> Result<usize, RegistryError> {
    let mut level: HashSet<GroupId> = [from].into_iter().collect();
    for steps in 0..=edit.settings.limits.group_depth {
        let mut next = HashSet::new();
        for group in level {
            match way {
                Way::Up => {
                    let id = group.to_string();
                    let filter = Filter { parent: Some(&id), ..Filter::default() };
                    let above: Vec<Membership> = noun::list(edit.tx, &filter, Reach::Platform).await?;
                    next.extend(above.iter().map(|it| it.group_id));
                }
                Way::Down => {
                    next.extend(memberships(edit.tx, group).await?.iter().filter_map(|it| match it.member {
                        Member::Group(nested) => Some(nested),
                        Member::User(_) => None,
                    }));
                }
            }
        }
        if next.is_empty() {
            return Ok(steps);
        }
        level = next;
    }
    Ok(edit.settings.limits.group_depth)
}

/// How many memberships are looked at at once.
const PAGE: u32 = 500;
