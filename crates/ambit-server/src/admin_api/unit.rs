//! Units of tenants.

use ambit_core::registry::{see, unit};
use ambit_core::store::Filter;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::unit::{CreateUnit, PatchUnit, Unit};

use super::{Admin, Answered, At, Body, Created, Gone, List, Patch, Plain, Shown};

pub async fn list(admin: Admin, At(tenant): At, list: List) -> Answered<Plain<Page<Unit>>> {
    let tenant: Tenant = see(admin.store(), &tenant, admin.reach()).await?;
    let parent = tenant.id.to_string();
    admin.list(&list, Filter { parent: Some(&parent), ..Filter::default() }).await
}

pub async fn create(admin: Admin, At(tenant): At, Body(body): Body<CreateUnit>) -> Answered<Created<Unit>> {
    let change = admin.begin().await?;
    let unit = unit::create(&change.edit(), &tenant, body).await?;
    change.commit(Created(unit)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Unit>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(id): At, patch: Patch<PatchUnit>) -> Answered<Shown<Unit>> {
    let change = admin.begin().await?;
    let body = patch.over(&change.current::<Unit>(&id).await?)?;
    let unit = unit::patch(&change.edit(), &id, body).await?;
    change.commit(Shown(unit)).await
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Unit>(&id).await?;
    unit::delete(&change.edit(), &id).await?;
    change.commit(Gone).await
}
