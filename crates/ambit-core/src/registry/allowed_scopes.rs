//! What an application may be allowed: scopes that are registered, offered to its owner, and the caller's to pass on.

use ambit_protocol::admin::application::{Application, WhenOmitted};
use ambit_protocol::admin::scope::{Scope, ScopeKind, ScopeState};
use ambit_protocol::scope::ScopeToken;

use super::{Edit, Faults, RegistryError, first_repeated};
use crate::governance::suggest::nearest;
use crate::reach::{Owner, Reach};
use crate::store::noun::{self, Noun as _};
use crate::store::{By, Filter};

/// Looks at every scope that is new in the list. Faults go into `faults`; answered are those that the caller does not hold and
/// so cannot pass on, with their places.
pub(super) async fn check_allowed_scopes(
    edit: &Edit<'_>,
    faults: &mut Faults,
    application: &Application,
    before: &[ScopeToken],
) -> Result<Vec<(usize, ScopeToken)>, RegistryError> {
    let list = &application.allowed_scopes;
    let max = edit.settings.limits.allowed_scopes;
    if list.len() > max {
        faults.add("/allowed_scopes", format!("has {} scopes, and allowed_scopes allows {max}", list.len()));
        return Ok(vec![]);
    }
    if let Some(place) = first_repeated(list) {
        faults.add(format!("/allowed_scopes/{place}"), "is there twice");
    }
    let owner = application.owner();
    let kept: hashbrown::HashSet<&ScopeToken> = before.iter().collect();
    let mut not_held = vec![];
    let mut known = None;
    for (place, name) in list.iter().enumerate().filter(|(_, name)| !kept.contains(name)) {
        let pointer = format!("/allowed_scopes/{place}");
        let scope: Option<Scope> = noun::find(edit.tx, By::NaturalKey(name.as_str()), edit.reach()).await?;
        match scope {
            None => {
                let known = match &known {
                    Some(known) => known,
                    None => known.insert(offered_names(edit, owner).await?),
                };
                faults.add(pointer, not_registered(name, known));
            }
            Some(scope) if !scope.owner().offers_to(owner) => {
                faults.add(
                    pointer,
                    format!("scope '{name}' is not offered to this application: its API has another owner"),
                );
            }
            Some(scope) if scope.state == ScopeState::Retired => {
                faults.add(pointer, format!("scope '{name}' is retired"));
            }
            Some(scope) => {
                if !edit.may_pass_on(&scope).await? {
                    not_held.push((place, scope.name));
                }
            }
        }
    }
    Ok(not_held)
}

/// The defaults of a policy are part of what is allowed.
pub(super) async fn check_policy(
    edit: &Edit<'_>,
    faults: &mut Faults,
    application: &Application,
) -> Result<(), RegistryError> {
    let policy = &application.scope_policy;
    let defaults = &policy.default_scopes;
    if policy.when_omitted == WhenOmitted::DefaultScopes {
        faults.add_unless(
            !defaults.is_empty(),
            "/scope_policy/default_scopes",
            "must name at least one scope: when_omitted is default_scopes",
        );
    }
    if let Some(place) = first_repeated(defaults) {
        faults.add(format!("/scope_policy/default_scopes/{place}"), "is there twice");
    }
    let allowed: hashbrown::HashSet<&ScopeToken> = application.allowed_scopes.iter().collect();
    if defaults.len() > edit.settings.limits.allowed_scopes {
        faults.add("/scope_policy/default_scopes", "has more scopes than can be allowed");
        return Ok(());
    }
    for (place, name) in defaults.iter().enumerate().filter(|(_, name)| !allowed.contains(name)) {
        if !is_in_an_allowed_bundle(edit, &allowed, name).await? {
            faults.add(
                format!("/scope_policy/default_scopes/{place}"),
                format!("scope '{name}' is not among the allowed scopes"),
            );
        }
    }
    Ok(())
}

async fn is_in_an_allowed_bundle(
    edit: &Edit<'_>,
    allowed: &hashbrown::HashSet<&ScopeToken>,
    name: &ScopeToken,
) -> Result<bool, RegistryError> {
    let quoted = serde_json::Value::from(name.as_str()).to_string();
    let filter = Filter { mentions: Some(&quoted), ..Filter::default() };
    let bundles: Vec<Scope> = noun::list(edit.tx, &filter, Reach::Platform).await?;
    Ok(bundles.iter().any(|bundle| {
        bundle.kind == ScopeKind::Coarse && bundle.includes.contains(name) && allowed.contains(&bundle.name)
    }))
}

/// The names that may be suggested: what the caller sees and the application's owner is offered.
async fn offered_names(edit: &Edit<'_>, owner: Owner) -> Result<Vec<ScopeToken>, RegistryError> {
    let scopes: Vec<Scope> = noun::list(edit.tx, &Filter::default(), edit.reach()).await?;
    Ok(scopes
        .into_iter()
        .filter(|scope| scope.owner().offers_to(owner) && scope.state == ScopeState::Active)
        .map(|scope| scope.name)
        .collect())
}

fn not_registered(name: &ScopeToken, known: &[ScopeToken]) -> String {
    let suggestions: Vec<String> = nearest(name.as_str(), known.iter()).iter().map(|it| format!("'{it}'")).collect();
    if suggestions.is_empty() {
        format!("scope '{name}' not registered")
    } else {
        format!("scope '{name}' not registered; did you mean {}?", suggestions.join(" or "))
    }
}
