//! Scopes of the catalogue: what they may be, how they age, and who uses them.

use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::feature::Feature;
use ambit_protocol::admin::scope::{CreateScope, GrantKind, PatchScope, Scope, ScopeKind, ScopeState};
use ambit_protocol::id::ApiId;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;

use super::error::Usage;
use super::{Conflict, Edit, Faults, RegistryError, api, builtin, count_all, first_repeated};
use crate::reach::{Owner, Reach};
use crate::store::noun::{self, Noun as _};
use crate::store::{By, Filter, Reads};

/// Registers a scope.
///
/// # Errors
/// [`RegistryError::Invalid`]; [`Forbidden::OwnedAbove`](super::Forbidden::OwnedAbove) for somebody else's API;
/// [`Conflict::LimitReached`]; [`Conflict::Taken`].
pub async fn create(edit: &Edit<'_>, body: CreateScope) -> Result<Scope, RegistryError> {
    if body.name.as_str() == RESERVED {
        // Whoever registered it could neither read nor change it again.
        return Err(RegistryError::invalid("/name", "is reserved: /scopes/recommended-sets is something else"));
    }
    insert(edit, body, edit.tx.revision()).await
}

/// The same, at a chosen place in the catalogue's order.
pub(super) async fn insert(edit: &Edit<'_>, body: CreateScope, ordinal: u64) -> Result<Scope, RegistryError> {
    edit.require_write()?;
    let (api, owner) = match (body.kind, &body.api) {
        (ScopeKind::Identity, None) => {
            edit.require_platform("register an identity scope")?;
            (None, Owner::Platform)
        }
        (ScopeKind::Identity, Some(_)) => {
            return Err(RegistryError::invalid("/api", "must be left out: an identity scope belongs to no API"));
        }
        (ScopeKind::Coarse | ScopeKind::Granular, None) => {
            return Err(RegistryError::invalid("/api", "is missing: only identity scopes belong to no API"));
        }
        (ScopeKind::Coarse | ScopeKind::Granular, Some(name)) => {
            let api = api::find(edit.tx, name, edit.reach())
                .await?
                .ok_or_else(|| RegistryError::invalid("/api", format!("no API '{name}' here")))?;
            edit.require_covers(&api)?;
            (Some(api.id), api.owner())
        }
    };
    require_room(edit, owner).await?;
    let default_grants = match body.kind {
        ScopeKind::Identity => vec![GrantKind::User],
        ScopeKind::Coarse | ScopeKind::Granular => vec![GrantKind::Service, GrantKind::User],
    };
    let scope = Scope {
        name: body.name,
        api,
        tenant_id: owner.tenant_id(),
        partner_id: owner.partner_id(),
        kind: body.kind,
        title: body.title,
        description: body.description,
        includes: body.includes,
        feature: body.feature,
        grants: body.grants.unwrap_or(default_grants),
        roles: body.roles,
        sensitivity: body.sensitivity,
        state: body.state,
        successor: None,
        sunset: None,
        advertised: body.advertised.unwrap_or(true),
        ordinal,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    let mut faults = check(edit, &scope, None).await?;
    faults.add_unless(
        matches!(scope.state, ScopeState::Draft | ScopeState::Active),
        "/state",
        "a new scope is draft or active",
    );
    faults.into_result()?;
    Ok(noun::insert(edit.tx, scope, None).await?)
}

/// Changes a scope. The scope that results must pass what a new one must.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`RegistryError::Invalid`]; [`Forbidden::OwnedAbove`](super::Forbidden::OwnedAbove);
/// [`Conflict::ScopeTransition`]; [`Conflict::InUse`] where other scopes name it as their successor;
/// [`Conflict::BuiltIn`].
pub async fn patch(edit: &Edit<'_>, name: &str, body: PatchScope) -> Result<Scope, RegistryError> {
    let before: Scope = edit.see(name).await?;
    edit.require_covers(&before)?;
    let after = patched(&before, body);
    require_not_built_in(edit, &before, &after).await?;
    if before.state != after.state {
        require_transition(edit, &before, after.state).await?;
    }
    check(edit, &after, Some(&before)).await?.into_result()?;
    edit.replace(&before, after).await
}

/// Takes a scope away that nobody uses.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::OwnedAbove`](super::Forbidden::OwnedAbove); [`Conflict::InUse`] says by whom;
/// [`Conflict::BuiltIn`].
pub async fn delete(edit: &Edit<'_>, name: &str) -> Result<(), RegistryError> {
    let scope: Scope = edit.see(name).await?;
    edit.require_covers(&scope)?;
    if is_built_in(edit, &scope).await? {
        return Err(built_in(&scope));
    }
    let (by, count) = usage(edit.tx, &scope, edit.reach()).await?;
    if count > 0 {
        let instead = "deprecate or retire it: PATCH {\"state\": \"deprecated\"} or {\"state\": \"retired\"}";
        return Err(Conflict::InUse { resource: Resource::Scope, id: name.to_owned(), by, count, instead }.into());
    }
    Ok(noun::delete(edit.tx, &scope).await?)
}

/// Who uses a scope: applications that allow it or have it in their defaults, bundles that include it, scopes it succeeds.
/// Those within reach by name, all of them by number.
///
/// # Errors
/// Those of the store.
pub async fn usage(
    reads: &(impl Reads + ?Sized),
    scope: &Scope,
    reach: Reach,
) -> Result<(Vec<Usage>, u64), RegistryError> {
    let mut by = vec![];
    let mut count = 0;
    let mut note = |owner: Owner, usage: Usage| {
        count += 1;
        if reach.covers(owner) && by.len() < SHOWN {
            by.push(usage);
        }
    };
    for other in siblings(reads, scope).await? {
        let field = if other.includes.contains(&scope.name) {
            "includes"
        } else if other.successor.as_ref() == Some(&scope.name) {
            "successor"
        } else {
            continue;
        };
        let name = other.name.to_string();
        note(other.owner(), Usage { resource: Resource::Scope, id: name.clone(), name, field });
    }
    let quoted = serde_json::Value::from(scope.name.as_str()).to_string();
    let mut after = None;
    loop {
        let filter =
            Filter { mentions: Some(&quoted), after: after.as_deref(), limit: Some(PAGE), ..Filter::default() };
        let page: Vec<Application> = noun::list(reads, &filter, Reach::Platform).await?;
        for application in &page {
            let field = if application.allowed_scopes.contains(&scope.name) {
                "allowed_scopes"
            } else if application.scope_policy.default_scopes.contains(&scope.name) {
                "scope_policy.default_scopes"
            } else {
                continue;
            };
            let (id, name) = (application.id.to_string(), application.client_id.to_string());
            note(application.owner(), Usage { resource: Resource::Application, id, name, field });
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after = Some(last.id.to_string()),
            _ => return Ok((by, count)),
        }
    }
}

fn patched(before: &Scope, body: PatchScope) -> Scope {
    let mut after = before.clone();
    let PatchScope {
        title,
        description,
        includes,
        feature,
        grants,
        roles,
        sensitivity,
        state,
        successor,
        sunset,
        advertised,
    } = body;
    after.title = title.unwrap_or(after.title);
    after.description = description.unwrap_or(after.description);
    after.includes = includes.unwrap_or(after.includes);
    after.feature = feature.unwrap_or(after.feature);
    after.grants = grants.unwrap_or(after.grants);
    after.roles = roles.unwrap_or(after.roles);
    after.sensitivity = sensitivity.unwrap_or(after.sensitivity);
    after.advertised = advertised.unwrap_or(after.advertised);
    after.state = state.unwrap_or(after.state);
    if after.state != ScopeState::Deprecated {
        // A scope that is deprecated no longer has no use for what went with it, unless the body insists: that is a fault.
        (after.successor, after.sunset) = (None, None);
    }
    after.successor = successor.unwrap_or(after.successor);
    after.sunset = sunset.unwrap_or(after.sunset);
    after
}

/// Everything that must hold for a scope, whether it is new or changed.
async fn check(edit: &Edit<'_>, scope: &Scope, before: Option<&Scope>) -> Result<Faults, RegistryError> {
    let mut faults = Faults::default();
    let max = edit.settings.limits.scope_name_chars;
    faults.add_unless(
        before.is_some() || scope.name.as_str().len() <= max,
        "/name",
        &format!("is longer than scope_name_chars allows: {max}"),
    );
    check_grants(&mut faults, scope);
    check_deprecation(edit, &mut faults, scope, before).await?;
    check_members(edit, &mut faults, scope, before).await?;
    match (&scope.feature, scope.kind) {
        (None, _) => {}
        (Some(_), ScopeKind::Coarse | ScopeKind::Identity) => {
            faults.add("/feature", "only a granular scope can be gated by a feature");
        }
        (Some(key), ScopeKind::Granular) => {
            let feature: Option<Feature> = noun::find(edit.tx, By::Id(key.as_str()), edit.reach()).await?;
            faults.add_unless(feature.is_some(), "/feature", &format!("no feature '{key}' here"));
        }
    }
    Ok(faults)
}

fn check_grants(faults: &mut Faults, scope: &Scope) {
    faults.add_unless(!scope.grants.is_empty(), "/grants", "must name service, user or both");
    if let Some(place) = first_repeated(&scope.grants) {
        faults.add(format!("/grants/{place}"), "is there twice");
    }
    if let Some(place) = first_repeated(&scope.roles) {
        faults.add(format!("/roles/{place}"), "is there twice");
    }
    if scope.kind == ScopeKind::Identity {
        let user_only = scope.grants.iter().all(|grant| *grant == GrantKind::User);
        faults.add_unless(user_only, "/grants", "an identity scope is about a person: only user may carry it");
    }
}

async fn check_deprecation(
    edit: &Edit<'_>,
    faults: &mut Faults,
    scope: &Scope,
    before: Option<&Scope>,
) -> Result<(), RegistryError> {
    if scope.state != ScopeState::Deprecated {
        faults.add_unless(scope.successor.is_none(), "/successor", "goes with state deprecated only");
        faults.add_unless(scope.sunset.is_none(), "/sunset", "goes with state deprecated only");
        return Ok(());
    }
    let is_new_sunset = before.is_none_or(|before| before.sunset != scope.sunset);
    faults.add_unless(
        !is_new_sunset || scope.sunset.is_none_or(|sunset| edit.now() < sunset),
        "/sunset",
        "must be in the future; to end it now, retire it",
    );
    // What stands there already stays good: its own changes are held up where they would break it.
    let Some(name) = scope.successor.as_ref().filter(|_| before.is_none_or(|it| it.successor != scope.successor))
    else {
        return Ok(());
    };
    if *name == scope.name {
        faults.add("/successor", "must be another scope");
        return Ok(());
    }
    match find_sibling(edit, scope.api, name).await? {
        None => faults.add("/successor", format!("no scope '{name}' of the same API here")),
        Some(successor) => faults.add_unless(
            // Active, so not deprecated itself: one step, never a chain.
            successor.state == ScopeState::Active,
            "/successor",
            &format!("scope '{name}' is not active"),
        ),
    }
    Ok(())
}

async fn check_members(
    edit: &Edit<'_>,
    faults: &mut Faults,
    scope: &Scope,
    before: Option<&Scope>,
) -> Result<(), RegistryError> {
    if scope.includes.is_empty() {
        return Ok(());
    }
    if scope.kind != ScopeKind::Coarse {
        faults.add("/includes", "only a coarse scope includes others");
        return Ok(());
    }
    let max = edit.settings.limits.bundle_members;
    if scope.includes.len() > max {
        let count = scope.includes.len();
        faults.add("/includes", format!("has {count} members, and bundle_members allows {max}"));
        return Ok(());
    }
    if let Some(place) = first_repeated(&scope.includes) {
        faults.add(format!("/includes/{place}"), "is there twice");
    }
    for (place, name) in scope.includes.iter().enumerate() {
        if before.is_some_and(|before| before.includes.contains(name)) {
            continue;
        }
        let pointer = format!("/includes/{place}");
        match find_sibling(edit, scope.api, name).await? {
            None => faults.add(pointer, format!("no scope '{name}' of the same API here")),
            Some(member) => faults.add_unless(
                member.kind == ScopeKind::Granular,
                &pointer,
                &format!("scope '{name}' is not granular: a bundle includes granular scopes only"),
            ),
        }
    }
    Ok(())
}

async fn find_sibling(edit: &Edit<'_>, api: Option<ApiId>, name: &ScopeToken) -> Result<Option<Scope>, RegistryError> {
    let scope: Option<Scope> = noun::find(edit.tx, By::NaturalKey(name.as_str()), edit.reach()).await?;
    Ok(scope.filter(|scope| scope.api == api))
}

/// The scopes that can refer to this one: those of its API, or the other identity scopes.
async fn siblings(reads: &(impl Reads + ?Sized), scope: &Scope) -> Result<Vec<Scope>, RegistryError> {
    let api = scope.api.map(|id| id.to_string());
    let quoted = serde_json::Value::from(scope.name.as_str()).to_string();
    let filter = Filter { parent: api.as_deref(), mentions: Some(&quoted), ..Filter::default() };
    let mut scopes: Vec<Scope> = noun::list(reads, &filter, Reach::Platform).await?;
    scopes.retain(|other| other.api == scope.api && other.name != scope.name);
    Ok(scopes)
}

async fn require_room(edit: &Edit<'_>, owner: Owner) -> Result<(), RegistryError> {
    let limits = edit.settings.limits;
    let all = count_all::<Scope>(edit.tx, &Filter::default()).await?;
    if all >= limits.catalogue_scopes as u64 {
        let max = limits.catalogue_scopes as u64;
        return Err(Conflict::LimitReached { limit: "catalogue_scopes", max, count: all }.into());
    }
    if let Some(tenant) = owner.tenant_id() {
        let own = Filter { tenant: Some(tenant), ..Filter::default() };
        let count = count_all::<Scope>(edit.tx, &own).await?;
        let max = limits.tenant_scopes as u64;
        if count >= max {
            return Err(Conflict::LimitReached { limit: "tenant_scopes", max, count }.into());
        }
    }
    Ok(())
}

/// A scope goes its way forward only; and while others name it as their successor it stays active, or requests for them would
/// end in a second step or in nothing.
async fn require_transition(edit: &Edit<'_>, before: &Scope, to: ScopeState) -> Result<(), RegistryError> {
    if !before.state.may_become(to) {
        let allowed = ALL_STATES.into_iter().filter(|next| before.state.may_become(*next)).collect();
        let (scope, from) = (before.name.clone(), before.state);
        return Err(Conflict::ScopeTransition { scope, from, to, allowed }.into());
    }
    if before.state != ScopeState::Active {
        return Ok(());
    }
    let by: Vec<Usage> = siblings(edit.tx, before)
        .await?
        .into_iter()
        .filter(|other| other.successor.as_ref() == Some(&before.name))
        .map(|other| {
            let name = other.name.to_string();
            Usage { resource: Resource::Scope, id: name.clone(), name, field: "successor" }
        })
        .collect();
    if by.is_empty() {
        return Ok(());
    }
    let (count, instead) = (by.len() as u64, "give those scopes another successor first");
    Err(Conflict::InUse { resource: Resource::Scope, id: before.name.to_string(), by, count, instead }.into())
}

async fn is_built_in(edit: &Edit<'_>, scope: &Scope) -> Result<bool, RegistryError> {
    Ok(builtin::is_built_in(&scope.name)
        && match scope.api {
            None => true,
            api => builtin::admin_api_id(edit.tx).await? == api,
        })
}

/// The server relies on its own scopes: only how they are presented may change.
async fn require_not_built_in(edit: &Edit<'_>, before: &Scope, after: &Scope) -> Result<(), RegistryError> {
    let presented_as_before = Scope {
        title: before.title.clone(),
        description: before.description.clone(),
        advertised: before.advertised,
        ..after.clone()
    };
    if presented_as_before == *before || !is_built_in(edit, before).await? {
        return Ok(());
    }
    Err(built_in(before))
}

fn built_in(scope: &Scope) -> RegistryError {
    let why = "only its title, its description and whether it is advertised can be changed";
    Conflict::BuiltIn { what: format!("scope '{}'", scope.name), why }.into()
}

/// The path beside `/scopes/{name}` that is no scope's.
const RESERVED: &str = "recommended-sets";

/// How many users of a scope a refusal names.
const SHOWN: usize = 20;

/// How many applications are looked at at once.
const PAGE: u32 = 500;

const ALL_STATES: [ScopeState; 4] =
    [ScopeState::Draft, ScopeState::Active, ScopeState::Deprecated, ScopeState::Retired];
