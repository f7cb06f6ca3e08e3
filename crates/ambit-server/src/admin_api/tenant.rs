//! Tenants.

use ambit_core::registry::{see, tenant};
use ambit_protocol::admin::Page;
use ambit_protocol::admin::tenant::{CreateTenant, PatchTenant, SetTenantStatus, Tenant};

use super::query::OwnerFilters;
use super::{Admin, Answered, At, Body, Created, Gone, IfMatch, List, Patch, Plain, Shown};

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<Tenant>>> {
    admin.list(&list, list.filters.filter()).await
}

pub async fn create(admin: Admin, Body(body): Body<CreateTenant>) -> Answered<Created<Tenant>> {
    let change = admin.begin().await?;
    let tenant = tenant::create(&change.edit(), body).await?;
    change.commit(Created(tenant)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Tenant>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(id): At, patch: Patch<PatchTenant>) -> Answered<Shown<Tenant>> {
    let change = admin.begin().await?;
    let body = patch.over(&change.current::<Tenant>(&id).await?)?;
    let tenant = tenant::patch(&change.edit(), &id, body).await?;
    change.commit(Shown(tenant)).await
}

pub async fn set_status(
    admin: Admin,
    At(id): At,
    _: IfMatch,
    Body(body): Body<SetTenantStatus>,
) -> Answered<Shown<Tenant>> {
    let change = admin.begin().await?;
    change.current::<Tenant>(&id).await?;
    let tenant = tenant::set_status(&change.edit(), &id, body.status).await?;
    change.commit(Shown(tenant)).await
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Tenant>(&id).await?;
    tenant::delete(&change.edit(), &id).await?;
    change.commit(Gone).await
}
