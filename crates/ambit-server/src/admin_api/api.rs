//! APIs.

use ambit_core::registry::{api, see};
use ambit_core::store::noun::Noun as _;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::api::{Api, CreateApi, PatchApi};

use super::query::OwnerFilters;
use super::{Admin, Answered, At, Body, Created, Done, Gone, List, Patch, Plain, Shown};

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<Api>>> {
    let mut page = admin.page::<Api, _>(&list, list.filters.filter()).await?;
    page.items = page.items.into_iter().map(|api| seen_by(&admin, api)).collect();
    Done::new(Plain(page))
}

pub async fn create(admin: Admin, Body(body): Body<CreateApi>) -> Answered<Created<Api>> {
    let change = admin.begin().await?;
    let api = api::create(&change.edit(), body).await?;
    change.commit(Created(api)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Api>> {
    admin.show(seen_by(&admin, see(admin.store(), &id, admin.reach()).await?))
}

pub async fn patch(admin: Admin, At(id): At, patch: Patch<PatchApi>) -> Answered<Shown<Api>> {
    let change = admin.begin().await?;
    let body = patch.over(&change.current::<Api>(&id).await?)?;
    let api = api::patch(&change.edit(), &id, body).await?;
    change.commit(Shown(api)).await
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Api>(&id).await?;
    api::delete(&change.edit(), &id).await?;
    change.commit(Gone).await
}

/// A shared API as those see it who do not own it: which applications serve it tells of things that may be others'.
fn seen_by(admin: &Admin, api: Api) -> Api {
    if admin.reach().covers(api.owner()) { api } else { Api { resource_servers: vec![], ..api } }
}
