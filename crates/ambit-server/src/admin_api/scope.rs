//! Scopes of the catalogue, and the sets that fit an integration.

use ambit_core::reach::Reach;
use ambit_core::registry::{api, builtin, scope, see};
use ambit_core::store::Filter;
use ambit_core::store::noun;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::application::RecommendedSet;
use ambit_protocol::admin::scope::{CreateScope, PatchScope, Scope};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Admin, Answered, At, Body, Created, Gone, List, Patch, Plain, Shown, Stop};

/// Filters of the catalogue.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// Scopes of this API only, by registry identifier or `aud` identifier.
    pub api: Option<String>,
    /// Whose name contains this text.
    pub q: Option<String>,
}

pub async fn list(admin: Admin, list: List<Filters>) -> Answered<Plain<Page<Scope>>> {
    let api = match &list.filters.api {
        None => None,
        Some(name) => {
            let api = api::find(admin.store(), name, admin.reach()).await?;
            Some(api.ok_or_else(|| Stop::invalid("?api", format!("no API '{name}' here")))?.id.to_string())
        }
    };
    let filter = Filter { parent: api.as_deref(), contains: list.filters.q.as_deref(), ..Filter::default() };
    admin.list(&list, filter).await
}

pub async fn create(admin: Admin, Body(body): Body<CreateScope>) -> Answered<Created<Scope>> {
    let change = admin.begin().await?;
    let scope = scope::create(&change.edit(), body).await?;
    change.commit(Created(scope)).await
}

pub async fn show(admin: Admin, At(name): At) -> Answered<Shown<Scope>> {
    admin.show(see(admin.store(), &name, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(name): At, patch: Patch<PatchScope>) -> Answered<Shown<Scope>> {
    let change = admin.begin().await?;
    let body = patch.over(&change.current::<Scope>(&name).await?)?;
    let scope = scope::patch(&change.edit(), &name, body).await?;
    change.commit(Shown(scope)).await
}

pub async fn delete(admin: Admin, At(name): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Scope>(&name).await?;
    scope::delete(&change.edit(), &name).await?;
    change.commit(Gone).await
}

pub async fn recommended_sets(admin: Admin) -> Answered<Plain<Page<RecommendedSet>>> {
    let mut known = std::collections::HashSet::new();
    for name in builtin::recommended_scopes() {
        // The sets are of the platform's own scopes, which everybody sees.
        if noun::find::<Scope>(admin.store(), ambit_core::store::By::NaturalKey(name), Reach::Platform).await?.is_some()
        {
            known.insert(name);
        }
    }
    admin.whole_list(builtin::recommended_sets(|name| known.contains(name)))
}
