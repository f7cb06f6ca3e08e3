//! APIs.

use ambit_core::registry::{api, see};
use ambit_core::store::noun::Noun as _;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::api::{Api, CreateApi, PatchApi};
use ambit_protocol::jose::Algorithm;
use serde::Deserialize as _;

use super::query::OwnerFilters;
use super::{Admin, Answered, At, Body, Created, Done, Gone, List, Patch, Plain, Shown, Stop};
use crate::jobs::ensure_algorithm;

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<Api>>> {
    let mut page = admin.page::<Api, _>(&list, list.filters.filter()).await?;
    page.items = page.items.into_iter().map(|api| seen_by(&admin, api)).collect();
    Done::new(Plain(page))
}

pub async fn create(admin: Admin, Body(body): Body<CreateApi>) -> Answered<Created<Api>> {
    ensure_keys(&admin, body.signing_algorithm).await?;
    let change = admin.begin().await?;
    let api = api::create(&change.edit(), body).await?;
    change.commit(Created(api)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Api>> {
    admin.show(seen_by(&admin, see(admin.store(), &id, admin.reach()).await?))
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

/// A shared API as those see it who do not own it: which applications serve it tells of things that may be others'.
fn seen_by(admin: &Admin, api: Api) -> Api {
    if admin.reach().covers(api.owner()) { api } else { Api { resource_servers: vec![], ..api } }
}
