//! What one application may have at all: its allowed scopes, resolved against a catalogue.

use ambit_protocol::admin::application::{Application, ScopePolicy};
use ambit_protocol::admin::scope::ScopeState;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;

use super::catalogue::{Catalogue, Places};
use crate::reach::Owner;

/// An application's allowed scopes in one catalogue. Made once per application and revision, used for every request.
#[derive(Debug)]
pub struct Ceiling {
    /// Who owns the application: only what is offered to that owner exists for it.
    pub owner: Owner,
    /// What happens to a request that asks for too much, or for nothing.
    pub policy: ScopePolicy,
    /// The registered list, names that have left the catalogue included: they are reported, not forgotten.
    pub allowed: Vec<ScopeToken>,
    listed: Places,
    deprecated: Vec<usize>,
}

impl Ceiling {
    /// Resolves an application's list.
    #[must_use]
    pub fn new(application: &Application, catalogue: &Catalogue) -> Self {
        let owner = Owner::from_ids(application.tenant_id, application.partner_id);
        let mut listed = Places::none(catalogue);
        for name in &application.allowed_scopes {
            if let Some(place) =
                catalogue.place(name.as_str()).filter(|place| catalogue.entry(*place).owner.offers_to(owner))
            {
                listed.insert(place);
            }
        }
        Self {
            owner,
            policy: application.scope_policy.clone(),
            allowed: application.allowed_scopes.clone(),
            deprecated: listed
                .iter()
                .filter(|place| catalogue.entry(*place).scope.state == ScopeState::Deprecated)
                .collect(),
            listed,
        }
    }

    /// Whether the application may have a scope: it is listed, a listed coarse scope includes it (scopes.md §2, rule 4), or
    /// either of these is the successor of a listed scope that is deprecated.
    #[must_use]
    pub fn allows(&self, catalogue: &Catalogue, place: usize, now: Timestamp) -> bool {
        self.lists(catalogue, place, now)
            || catalogue
                .entry(place)
                .bundles
                .iter()
                .any(|bundle| catalogue.entry(*bundle).is_live(now) && self.lists(catalogue, *bundle, now))
    }

    /// Whether the list names a scope, or names a deprecated scope that it succeeds. One step, never a chain.
    fn lists(&self, catalogue: &Catalogue, place: usize, now: Timestamp) -> bool {
        self.listed.contains(place)
            || self.deprecated.iter().any(|listed| {
                let entry = catalogue.entry(*listed);
                entry.successor == Some(place) && entry.is_live(now)
            })
    }
}
