//! Users.
//!
//! Whoever is disabled, deleted or given another address is signed out everywhere, and what they lent ends. That comes after the
//! change is committed: from then on nobody signs in as them any more, so nothing can begin behind what was ended. Between the two
//! they hold nothing that still works: a session and a token count only as long as their user is there and active.

use ambit_core::registry::{see, user};
use ambit_core::store::Filter;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::group::GroupOfUser;
use ambit_protocol::admin::user::{CreateUser, PatchUser, User, UserStatus};

use super::query::OwnerFilters;
use super::{Admin, Answered, At, Body, Created, Done, Gone, List, Patch, Plain, Shown, Stop};
use crate::session::{end_all, tokens_until};

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<User>>> {
    // The key is the address in lower case behind the tenant's identifier, which nobody looks for.
    let text = list.filters.q.as_deref().map(str::to_lowercase);
    let filter = Filter { contains: text.as_deref(), ..list.filters.filter() };
    Done::new(Plain(admin.page_of(&list, filter, |user: &User| list.filters.finds(user.email.as_str())).await?))
}

pub async fn create(admin: Admin, Body(body): Body<CreateUser>) -> Answered<Created<User>> {
    let change = admin.begin().await?;
    let user = user::create(&change.edit(), body).await?;
    change.commit(Created(user)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<User>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(id): At, patch: Patch<PatchUser>) -> Answered<Shown<User>> {
    let change = admin.begin().await?;
    let before: User = change.current(&id).await?;
    let body = patch.over(&before)?;
    let after = user::patch(&change.edit(), &id, body).await?;
    let is_over =
        after.email != before.email || (after.status == UserStatus::Disabled && before.status != UserStatus::Disabled);
    let done = change.commit(Shown(after)).await?;
    if is_over {
        sign_out(&admin, &before).await?;
    }
    Ok(done)
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    let user: User = change.current(&id).await?;
    user::delete(&change.edit(), &id).await?;
    let done = change.commit(Gone).await?;
    let now = admin.app().clock.now();
    admin.store().sign_ins().forget_user(user.id, now, tokens_until(now)).await?;
    Ok(done)
}

pub async fn list_groups(admin: Admin, At(id): At) -> Answered<Plain<Page<GroupOfUser>>> {
    admin.whole_list(user::groups(admin.store(), &id, admin.reach()).await?)
}

/// Ends a user's sessions, and what they lent.
pub(super) async fn sign_out(admin: &Admin, user: &User) -> Result<(), Stop> {
    Ok(end_all(admin.app(), user.id, None, admin.app().clock.now()).await?)
}
