//! The catalogue: all scopes of all APIs, in one order, with bundles resolved both ways.

use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::scope::{Scope, ScopeKind, ScopeState};
use ambit_protocol::admin::text::ApiIdentifier;
use ambit_protocol::id::ApiId;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use hashbrown::HashMap;

use crate::reach::Owner;

/// All scopes of all APIs at one revision of the registry.
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
    apis: Vec<Api>,
    by_name: HashMap<ScopeToken, usize>,
    by_identifier: HashMap<ApiIdentifier, usize>,
}

/// A scope in the catalogue. Other scopes and its API are named by their place.
#[derive(Debug)]
pub struct Entry {
    /// The scope as it is registered.
    pub scope: Scope,
    /// Who owns its API.
    pub owner: Owner,
    /// The place of its API; none for identity scopes.
    pub api: Option<usize>,
    /// Coarse: the places of the scopes it includes.
    pub members: Vec<usize>,
    /// Coarse: those of its members that a feature gates, and that it therefore never implies.
    pub gated_members: Vec<usize>,
    /// Granular: the places of the coarse scopes that include it.
    pub bundles: Vec<usize>,
    /// The place of the scope that is granted in its stead once it is deprecated.
    pub successor: Option<usize>,
}

impl Entry {
    /// Whether the scope itself may stand in a token minted now. A deprecated one may until its sunset.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        match self.scope.state {
            ScopeState::Active => true,
            ScopeState::Deprecated => self.scope.sunset.is_none_or(|sunset| now < sunset),
            ScopeState::Draft | ScopeState::Retired => false,
        }
    }

    /// Whether a feature gates it.
    #[must_use]
    pub const fn is_gated(&self) -> bool {
        self.scope.feature.is_some()
    }
}

impl Catalogue {
    /// Puts scopes and APIs in order: identity scopes first, then API by API in the order they were registered, bundles
    /// before granular scopes, each in the order of registration.
    ///
    /// A member, successor or API that is not there leaves no link: the admin API keeps references whole, and a missing one
    /// may only ever take power away.
    #[must_use]
    pub fn new(mut apis: Vec<Api>, mut scopes: Vec<Scope>) -> Self {
        apis.sort_by_key(|api| api.id);
        let api_places: HashMap<ApiId, usize> = apis.iter().enumerate().map(|(place, api)| (api.id, place)).collect();
        // A scope whose API is gone would be carried for nobody's `aud`.
        scopes.retain(|scope| scope.api.is_none_or(|id| api_places.contains_key(&id)));
        scopes.sort_by(|a, b| {
            let rank = |scope: &Scope| {
                (
                    scope.api.and_then(|id| api_places.get(&id).copied()),
                    scope.kind == ScopeKind::Granular,
                    scope.ordinal,
                )
            };
            rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name))
        });
        let by_name: HashMap<ScopeToken, usize> =
            scopes.iter().enumerate().map(|(place, scope)| (scope.name.clone(), place)).collect();
        let mut entries: Vec<Entry> = scopes
            .into_iter()
            .map(|scope| Entry {
                owner: Owner::from_ids(scope.tenant_id, scope.partner_id),
                api: scope.api.and_then(|id| api_places.get(&id).copied()),
                members: scope.includes.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect(),
                gated_members: vec![],
                bundles: vec![],
                successor: scope.successor.as_ref().and_then(|name| by_name.get(name.as_str()).copied()),
                scope,
            })
            .collect();
        for bundle in 0..entries.len() {
            // A bundle holds scopes of its own API only, whatever the row says.
            let api = entries[bundle].api;
            let members: Vec<usize> =
                entries[bundle].members.iter().copied().filter(|member| entries[*member].api == api).collect();
            for member in &members {
                entries[*member].bundles.push(bundle);
            }
            entries[bundle].gated_members =
                members.iter().copied().filter(|member| entries[*member].is_gated()).collect();
            entries[bundle].members = members;
        }
        let by_identifier = apis.iter().enumerate().map(|(place, api)| (api.identifier.clone(), place)).collect();
        Self { entries, apis, by_name, by_identifier }
    }

    /// How many scopes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All scopes, in the catalogue's order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All APIs, in the order they were registered.
    #[must_use]
    pub fn apis(&self) -> &[Api] {
        &self.apis
    }

    /// The scope at a place.
    #[must_use]
    pub fn entry(&self, place: usize) -> &Entry {
        &self.entries[place]
    }

    /// The place of a name, compared by octet.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The scope of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.place(name).map(|place| &self.entries[place])
    }

    /// The place of an API, by identifier compared by octet.
    #[must_use]
    pub fn api_place(&self, identifier: &str) -> Option<usize> {
        self.by_identifier.get(identifier).copied()
    }

    /// The API of an identifier.
    #[must_use]
    pub fn find_api(&self, identifier: &str) -> Option<&Api> {
        self.api_place(identifier).map(|place| &self.apis[place])
    }

    /// The scopes that discovery and the catalogue document list for an issuer: advertised, live, and offered to its owner.
    pub fn advertised(&self, owner: Owner, now: Timestamp) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.scope.advertised && entry.is_live(now) && entry.owner.offers_to(owner))
    }

    /// Whether a token that carries `carried` holds `name`: it carries it, or carries a coarse scope that includes it while
    /// no feature gates it (scopes.md §2, "Holding a scope").
    #[must_use]
    pub fn holds(&self, carried: &[ScopeToken], name: &str) -> bool {
        let carries = |name: &str| carried.iter().any(|scope| scope.as_str() == name);
        carries(name) || self.implies(carries, name)
    }

    /// Whether one of the coarse scopes that are carried includes `name`, while no feature gates it.
    #[must_use]
    pub fn implies(&self, carries: impl Fn(&str) -> bool, name: &str) -> bool {
        self.find(name).is_some_and(|entry| {
            let includes = |bundle: &usize| carries(self.entries[*bundle].scope.name.as_str());
            !entry.is_gated() && entry.bundles.iter().any(includes)
        })
    }
}

/// A set of places in a catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(Vec<u64>);

impl Places {
    /// An empty set for a catalogue.
    #[must_use]
    pub fn none(catalogue: &Catalogue) -> Self {
        Self(vec![0; catalogue.len().div_ceil(64)])
    }

    /// Puts a place in; answers whether it was new.
    pub fn insert(&mut self, place: usize) -> bool {
        let bit = 1 << (place % 64);
        let word = &mut self.0[place / 64];
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Whether a place is in.
    #[must_use]
    pub fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    /// The places, in the catalogue's order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    index * 64 + bit
                })
            })
        })
    }

    /// How many places are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no place is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}
