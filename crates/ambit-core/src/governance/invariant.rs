//! What must hold for every token ever issued (scopes.md §10), checked again on the issuing path, by other means than the
//! rules: with sets, from what the token carries back to what was asked.
//!
//! `carried ⊆ asked-or-default ∩ allowed(now) ∩ grant ∩ resource ∩ gates(now) ∩ roles(now) ∩ consent ∩ parent grant`

use ambit_protocol::admin::application::{OnRefused, ScopePolicy, WhenOmitted};
use ambit_protocol::admin::scope::ScopeState;
use ambit_protocol::scope::ScopeToken;

use super::catalogue::{Catalogue, Places};
use super::gates::Gate;
use super::rules::{Facts, Subject};

/// A scope that a token must not carry. Whoever sees this has found a fault of ours: no token may be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scope '{scope}' must not be carried: {bound} does not hold it")]
pub struct Violation {
    /// The scope.
    pub scope: ScopeToken,
    /// The bound that it is outside of.
    pub bound: &'static str,
}

/// Checks the invariant for what a token is about to carry.
///
/// # Errors
/// The first [`Violation`].
pub fn check(carried: &[ScopeToken], requested: Option<&str>, facts: &Facts<'_>) -> Result<(), Violation> {
    let Facts { catalogue, ceiling, .. } = facts;
    let asked = match (requested, ceiling.policy.when_omitted) {
        // Under `narrow` a bundle may stand for its members, each as if it had been named.
        (Some(requested), _) if narrows(&ceiling.policy) => {
            let once = expanded(catalogue, requested.split(' '));
            expanded(catalogue, once.iter().map(|place| catalogue.entry(place).scope.name.as_str()))
        }
        (Some(requested), _) => expanded(catalogue, requested.split(' ')),
        (None, WhenOmitted::AllAllowed) => expanded(catalogue, ceiling.allowed.iter().map(ScopeToken::as_str)),
        (None, WhenOmitted::DefaultScopes) => {
            expanded(catalogue, ceiling.policy.default_scopes.iter().map(ScopeToken::as_str))
        }
        (None, WhenOmitted::None | WhenOmitted::Reject) => Places::none(catalogue),
    };
    let allowed = expanded(catalogue, ceiling.allowed.iter().map(ScopeToken::as_str));
    for scope in carried {
        let violation = |bound| Err(Violation { scope: scope.clone(), bound });
        let Some(place) = catalogue.place(scope.as_str()) else { return violation("the catalogue") };
        let entry = catalogue.entry(place);
        if !entry.owner.offers_to(ceiling.owner) || !entry.is_live(facts.now) {
            return violation("the catalogue of now");
        }
        if !asked.contains(place) {
            return violation("what was asked for");
        }
        if !allowed.contains(place) {
            return violation("the application's ceiling");
        }
        if !entry.scope.grants.contains(&facts.subject.grant()) {
            return violation("the grant");
        }
        if !facts.resources.is_empty() && entry.api.is_some_and(|api| !facts.resources.contains(&api)) {
            return violation("the requested resource");
        }
        if entry.scope.feature.as_ref().is_some_and(|feature| facts.gates.gate(feature) != Gate::Open) {
            return violation("the gates of now");
        }
        if let Subject::User { roles, consented } = facts.subject {
            if !entry.scope.roles.is_empty() && !entry.scope.roles.iter().any(|role| roles.contains(role)) {
                return violation("the user's roles");
            }
            if consented.is_some_and(|list| !holds(catalogue, list, place)) {
                return violation("the user's consent");
            }
        }
        if facts.original.is_some_and(|list| !holds(catalogue, list, place)) {
            return violation("the original grant");
        }
    }
    Ok(())
}

/// Whether a refusal leaves out, where it would otherwise fail the request.
fn narrows(policy: &ScopePolicy) -> bool {
    policy.on_refused == OnRefused::Narrow || policy.report_only
}

/// Whether what a person agreed to, or lent, holds a scope: by its name or, where no feature gates it, in a bundle.
fn holds(catalogue: &Catalogue, list: &[ScopeToken], place: usize) -> bool {
    let scope = &catalogue.entry(place).scope;
    let names = list.iter().map(ScopeToken::as_str);
    match scope.feature {
        Some(_) => list.contains(&scope.name),
        None => expanded(catalogue, names).contains(place),
    }
}

/// The named scopes, what they include, and what stands in for those that are deprecated.
fn expanded<'n>(catalogue: &Catalogue, names: impl Iterator<Item = &'n str>) -> Places {
    let mut places = Places::none(catalogue);
    for place in names.filter_map(|name| catalogue.place(name)) {
        let entry = catalogue.entry(place);
        let stands_in = entry.successor.filter(|_| entry.scope.state == ScopeState::Deprecated);
        for place in std::iter::once(place).chain(stands_in) {
            places.insert(place);
            for member in &catalogue.entry(place).members {
                places.insert(*member);
            }
        }
    }
    places
}
