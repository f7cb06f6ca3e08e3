//! Partners.

use ambit_core::registry::{partner, see};
use ambit_core::store::Filter;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::partner::{CreatePartner, Partner, PatchPartner};

use super::{Admin, Answered, At, Body, Created, Gone, List, Patch, Plain, Shown};

pub async fn list(admin: Admin, list: List) -> Answered<Plain<Page<Partner>>> {
    admin.list(&list, Filter::default()).await
}

pub async fn create(admin: Admin, Body(body): Body<CreatePartner>) -> Answered<Created<Partner>> {
    let change = admin.begin().await?;
    let partner = partner::create(&change.edit(), body).await?;
    change.commit(Created(partner)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Partner>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(id): At, patch: Patch<PatchPartner>) -> Answered<Shown<Partner>> {
    let change = admin.begin().await?;
    let body = patch.over(&change.current::<Partner>(&id).await?)?;
    let partner = partner::patch(&change.edit(), &id, body).await?;
    change.commit(Shown(partner)).await
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Partner>(&id).await?;
    partner::delete(&change.edit(), &id).await?;
    change.commit(Gone).await
}
