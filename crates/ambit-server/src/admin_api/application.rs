//! Applications, and what is allowed to them.

use ambit_core::registry::application;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::application::{
    AddAllowedScope, Application, CreateApplication, CreatedApplication, GrantableScope, PatchApplication,
};
use ambit_protocol::jose::Algorithm;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::token::GrantType;
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::path_segment;
use super::query::{OwnerFilters, Query};
use super::{Added, Admin, Answered, At, Body, Created, Done, Gone, IfMatch, List, Patch, Plain, Shown, Stop};
use crate::explain::{Unexplained, facts_for};
use crate::jobs::ensure_algorithm;
use crate::oauth::scopes::grantable;

pub async fn list(admin: Admin, list: List<OwnerFilters>) -> Answered<Plain<Page<Application>>> {
    admin.list(&list, list.filters.filter()).await
}

pub async fn create(admin: Admin, Body(body): Body<CreateApplication>) -> Answered<Created<CreatedApplication>> {
    let grants = body.grant_types.clone().unwrap_or_else(|| body.kind.grant_types());
    ensure_keys(&admin, &grants, body.id_token_signed_response_alg).await?;
    let change = admin.begin().await?;
    let created = application::create(&change.edit(), body).await?;
    change.commit(Created(created)).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Application>> {
    admin.show(application::find(admin.store(), &id, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(id): At, patch: Patch<PatchApplication>) -> Answered<Shown<Application>> {
    // Values that are none are refused below.
    let sent = |name| patch.member(name).cloned().unwrap_or_default();
    let grants: Vec<GrantType> = Vec::deserialize(sent("grant_types")).unwrap_or_default();
    let algorithm = Option::deserialize(sent("id_token_signed_response_alg")).unwrap_or_default();
    ensure_keys(&admin, &grants, algorithm).await?;
    let change = admin.begin().await?;
    let body = patch.over(&change.current_application(&id).await?)?;
    let application = application::patch(&change.edit(), &id, body).await?;
    change.commit(Shown(application)).await
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current_application(&id).await?;
    application::delete(&change.edit(), &id).await?;
    change.commit(Gone).await
}

/// Whoever may sign people in gets ID tokens, and there is a key for them before anybody asks. Before the change is begun: a key
/// takes a while.
async fn ensure_keys(admin: &Admin, grants: &[GrantType], algorithm: Option<Algorithm>) -> Result<(), Stop> {
    let algorithm = algorithm.or_else(|| grants.contains(&GrantType::AuthorizationCode).then_some(Algorithm::Rs256));
    match algorithm {
        Some(algorithm) => ensure_algorithm(admin.app(), algorithm).await.map_err(Stop::Internal),
        None => Ok(()),
    }
}

pub async fn list_allowed_scopes(admin: Admin, At(id): At, list: List) -> Answered<Plain<Page<ScopeToken>>> {
    let application = application::find(admin.store(), &id, admin.reach()).await?;
    let mut scopes = application.allowed_scopes;
    // By name, so that a page begins behind a name whatever happened to the list meanwhile.
    scopes.sort();
    if let Some(after) = list.after(&admin)? {
        scopes.retain(|scope| scope.as_str() > after.as_str());
    }
    Done::new(Plain(list.page(&admin, scopes, ToString::to_string)?))
}

pub async fn allow_scope(
    admin: Admin,
    At(id): At,
    _: IfMatch,
    Body(body): Body<AddAllowedScope>,
) -> Answered<Added<Application>> {
    let change = admin.begin().await?;
    let before = change.current_application(&id).await?;
    let location = format!("/applications/{}/allowed_scopes/{}", before.id, path_segment(body.scope.as_str()));
    let is_new = !before.allowed_scopes.contains(&body.scope);
    let application = application::allow_scope(&change.edit(), &id, body.scope).await?;
    change.commit(Added { to: application, location, is_new }).await
}

pub async fn disallow_scope(admin: Admin, At((id, scope)): At<(String, String)>) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current_application(&id).await?;
    application::disallow_scope(&change.edit(), &id, &scope).await?;
    change.commit(Gone).await
}

/// For which tenant and unit the application would act.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActingFor {
    /// The tenant's slug.
    pub tenant: Option<String>,
    /// The unit's slug.
    pub unit: Option<String>,
}

pub async fn list_grantable_scopes(
    admin: Admin,
    At(id): At,
    Query(acting): Query<ActingFor>,
) -> Answered<Plain<Page<GrantableScope>>> {
    let application = application::find(admin.store(), &id, admin.reach()).await?;
    let app = admin.app();
    let mut facts = facts_for(app, &application, acting.tenant.as_deref(), acting.unit.as_deref()).await;
    if let Err(Unexplained::Invalid { pointer, .. }) = &mut facts {
        // What was named stands in the query here, not in a body.
        *pointer = if *pointer == "/unit" { "?unit" } else { "?tenant" };
    }
    admin.whole_list(grantable(&facts?, app.clock.now()))
}
