//! Administrators: which application holds which role.

use ambit_core::registry::{administrator, see};
use ambit_protocol::admin::Page;
use ambit_protocol::admin::administrator::{Administrator, CreateAdministrator};

use super::query::OwnerFilters;
use super::{Admin, Answered, At, Body, Created, Gone, List, Plain, Shown};

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<Administrator>>> {
    admin.list(&list, list.filters.filter()).await
}

pub async fn create(admin: Admin, Body(body): Body<CreateAdministrator>) -> Answered<Created<Administrator>> {
    let change = admin.begin().await?;
    let assignment = administrator::create(&change.edit(), body).await?;
    change.commit(Created(assignment)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Administrator>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Administrator>(&id).await?;
    administrator::delete(&change.edit(), &id).await?;
    change.commit(Gone).await
}
