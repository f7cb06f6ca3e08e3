//! APIs.

use ambit_core::registry::{api, see};
use ambit_protocol::admin::Page;
use ambit_protocol::admin::api::{Api, CreateApi, PatchApi};
use ambit_protocol::jose::Algorithm;
use serde::Deserialize as _;

use super::query::OwnerFilters;
use super::{Admin, Answered, At, Body, Created, Gone, List, Patch, Plain, Shown, Stop};
use crate::jobs::ensure_algorithm;

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<Api>>> {
    admin.list(&list, list.filters.filter()).await
}

pub async fn create(admin: Admin, Body(body): Body<CreateApi>) -> Answered<Created<Api>> {
    ensure_keys(&admin, body.signing_algorithm).await?;
    let change = admin.begin().await?;
    let api = api::create(&change.edit(), body).await?;
    change.commit(Created::new(api)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Api>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(id): At, patch: Patch<PatchApi>) -> Answered<Shown<Api>> {
    // A value that is none is refused below.
    let algorithm = patch.member("signing_algorithm").and_then(|value| Algorithm::deserialize(value).ok());
    ensure_keys(&admin, algorithm).await?;
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

/// Nothing is registered that asks for a signature which nobody can make. Before the change is begun: a key takes a while.
async fn ensure_keys(admin: &Admin, algorithm: Option<Algorithm>) -> Result<(), Stop> {
    match algorithm {
        Some(algorithm) => ensure_algorithm(admin.app(), algorithm).await.map_err(Stop::Internal),
        None => Ok(()),
    }
}
