//! Groups, and who is in them.

use ambit_core::registry::{group, see};
use ambit_core::store::Filter;
use ambit_core::store::noun::Noun;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::group::{CreateGroup, Group, Membership, PatchGroup};

use super::answer::Located as _;
use super::query::OwnerFilters;
use super::{Added, Admin, Answered, At, Body, Created, Done, Gone, List, Patch, Plain, Shown};

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<Group>>> {
    // The key is the name behind the owner's identifier, which nobody looks for; and a name is looked for whatever its case.
    let filter = Filter { contains: None, ..list.filters.filter() };
    Done::new(Plain(admin.page_of(&list, filter, |group: &Group| list.filters.finds(group.name.as_str())).await?))
}

pub async fn create(admin: Admin, Body(body): Body<CreateGroup>) -> Answered<Created<Group>> {
    let change = admin.begin().await?;
    let group = group::create(&change.edit(), body).await?;
    change.commit(Created(group)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Group>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(id): At, patch: Patch<PatchGroup>) -> Answered<Shown<Group>> {
    let change = admin.begin().await?;
    let body = patch.over(&change.current::<Group>(&id).await?)?;
    let group = group::patch(&change.edit(), &id, body).await?;
    change.commit(Shown(group)).await
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Group>(&id).await?;
    group::delete(&change.edit(), &id).await?;
    change.commit(Gone).await
}

pub async fn list_members(admin: Admin, At(id): At, list: List) -> Answered<Plain<Page<Membership>>> {
    let group: Group = see(admin.store(), &id, admin.reach()).await?;
    let after = list.after(&admin)?.unwrap_or_else(|| group::first_member(group.id));
    let members = group::members_after(admin.store(), group.id, &after, list.limit + 1, admin.reach()).await?;
    Done::new(Plain(list.page(&admin, members, Noun::id)?))
}

pub async fn add_member(admin: Admin, At((id, member)): At<(String, String)>) -> Answered<Added<Membership>> {
    let change = admin.begin().await?;
    let (to, is_new) = group::add_member(&change.edit(), &id, &member).await?;
    let location = to.location();
    change.commit(Added { to, location, is_new }).await
}

pub async fn remove_member(admin: Admin, At((id, member)): At<(String, String)>) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Membership>(&group::membership_id(&id, &member)).await?;
    group::remove_member(&change.edit(), &id, &member).await?;
    change.commit(Gone).await
}
