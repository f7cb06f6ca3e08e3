//! APIs.

use ambit_core::registry::{api, see};
use ambit_protocol::admin::Page;
use ambit_protocol::admin::api::{Api, CreateApi, PatchApi};

use super::query::OwnerFilters;
use super::{Admin, Answered, At, Body, Created, Gone, List, Patch, Plain, Shown};

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<Api>>> {
    admin.list(&list, list.filters.filter()).await
}

pub async fn create(admin: Admin, Body(body): Body<CreateApi>) -> Answered<Created<Api>> {
    let change = admin.begin().await?;
    let api = api::create(&change.edit(), body).await?;
    change.commit(Created::new(api)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Api>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
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
