//! The rules, in their order (scopes.md §2). Every requested scope meets every rule; all that speak against it are recorded,
//! and the first one is shown.

use ambit_protocol::admin::scope::{GrantKind, ScopeKind, ScopeState};
use ambit_protocol::admin::text::RoleName;
use ambit_protocol::decision::Reason;
use ambit_protocol::scope::{self, ScopeToken};
use ambit_protocol::time::Timestamp;

use super::catalogue::{Catalogue, Entry};
use super::ceiling::Ceiling;
use super::gates::{Gate, Gates};

/// Everything a rule may look at, beside the scope in question.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// All scopes of all APIs.
    pub catalogue: &'a Catalogue,
    /// What the application may have at all.
    pub ceiling: &'a Ceiling,
    /// Which features are on for the tenant and the unit acted for.
    pub gates: &'a Gates,
    /// On whose behalf.
    pub subject: Subject<'a>,
    /// The places of the requested resources' APIs; empty where none was named.
    pub resources: &'a [usize],
    /// What the original grant carried, where this request only renews or lends it.
    pub original: Option<&'a [ScopeToken]>,
    /// The moment of the request.
    pub now: Timestamp,
}

/// On whose behalf a token is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The client's own.
    Service,
    /// A user's.
    User {
        /// The roles the user holds, through groups too.
        roles: &'a [RoleName],
        /// What the user consented to; none where consent is not asked for.
        consented: Option<&'a [ScopeToken]>,
    },
}

impl Subject<'_> {
    /// The kind of grant.
    #[must_use]
    pub const fn grant(self) -> GrantKind {
        match self {
            Self::Service => GrantKind::Service,
            Self::User { .. } => GrantKind::User,
        }
    }
}

/// A scope in question: what was asked for, and what it stands for in the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The name as it was sent.
    pub name: &'a str,
    /// What the name stands for, if it is in the catalogue and offered to the application's owner.
    pub asked: Option<&'a Entry>,
    /// The place of what would be granted: the scope itself or, once it is deprecated, its successor.
    pub place: Option<usize>,
    /// The same, looked up.
    pub granted: Option<&'a Entry>,
    /// How the gate of what would be granted stands; open where no feature gates it.
    pub gate: Gate,
}

impl<'a> Candidate<'a> {
    /// What a name stands for.
    #[must_use]
    pub fn named(name: &'a str, facts: &Facts<'a>) -> Self {
        Self::of(name, facts.catalogue.place(name), facts)
    }

    /// What a name stands for, given its place. Another owner's scope is as unknown as one that does not exist.
    #[must_use]
    pub fn of(name: &'a str, place: Option<usize>, facts: &Facts<'a>) -> Self {
        let place = place.filter(|place| facts.catalogue.entry(*place).owner.offers_to(facts.ceiling.owner));
        let Some(place) = place else {
            return Self { name, asked: None, place: None, granted: None, gate: Gate::Open };
        };
        let asked = facts.catalogue.entry(place);
        let place = match asked.successor {
            Some(successor) if asked.scope.state == ScopeState::Deprecated => successor,
            _ => place,
        };
        Self { name, asked: Some(asked), ..Self::registered(place, facts) }
    }

    /// A scope of the catalogue, whoever owns it.
    #[must_use]
    pub fn registered(place: usize, facts: &Facts<'a>) -> Self {
        let entry = facts.catalogue.entry(place);
        let gate = entry.scope.feature.as_ref().map_or(Gate::Open, |feature| facts.gates.gate(feature));
        Self { name: entry.scope.name.as_str(), asked: Some(entry), place: Some(place), granted: Some(entry), gate }
    }
}

/// What a rule says of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Pass,
    /// The client's mistake: fails the request under `reject`.
    Refused,
    /// Left out under every policy: not the client's mistake.
    Excluded,
}

/// A rule: the reason it gives, and the question it asks.
pub type Rule = (Reason, fn(&Candidate<'_>, &Facts<'_>) -> Verdict);

/// Makes the list of the rules, and the walk along it. The walk calls each rule by its name, so that it becomes one piece of
/// code: a request has up to 11 calls for each scope.
macro_rules! rules {
    ($(($reason:ident, $rule:ident),)*) => {
        /// The rules, in their order.
        pub const RULES: [Rule; 11] = [$((Reason::$reason, $rule)),*];

        /// The first rule that speaks against a scope, and what it says.
        #[must_use]
        pub fn first_against(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Option<(Reason, Verdict)> {
            $(
                let verdict = $rule(candidate, facts);
                if verdict != Verdict::Pass {
                    return Some((Reason::$reason, verdict));
                }
            )*
            None
        }
    };
}

rules! {
    (Malformed, is_a_scope_token),
    (Unknown, is_in_the_catalogue),
    (NotActive, is_active),
    (NotAllowed, is_allowed_for_the_application),
    (WrongGrant, may_be_carried_by_this_grant),
    (WrongResource, belongs_to_a_requested_resource),
    (FeatureOffForTenant, feature_is_on_for_the_tenant),
    (FeatureOffForUnit, feature_is_on_for_the_unit),
    (RoleMissing, user_holds_a_role),
    (NotConsented, user_consented),
    (BeyondOriginalGrant, is_within_the_original_grant),
}

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_a_scope_token(candidate: &Candidate<'_>, _: &Facts<'_>) -> Verdict {
    // Whatever is in the catalogue passed the grammar when it was registered.
    refused_unless(candidate.asked.is_some() || scope::check(candidate.name).is_ok())
}

fn is_in_the_catalogue(candidate: &Candidate<'_>, _: &Facts<'_>) -> Verdict {
    refused_unless(candidate.asked.is_some())
}

/// Draft and retired scopes are not granted; a deprecated one is, as its successor, until its sunset.
fn is_active(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Verdict {
    refused_unless(candidate.asked.is_none_or(|asked| {
        asked.is_live(facts.now)
            && match (asked.scope.state, candidate.granted) {
                (ScopeState::Deprecated, Some(granted)) => granted.is_live(facts.now),
                _ => true,
            }
    }))
}

fn is_allowed_for_the_application(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Verdict {
    refused_unless(candidate.place.is_none_or(|place| facts.ceiling.allows(facts.catalogue, place, facts.now)))
}

/// A service cannot carry what is about a person. Identity scopes are left out of a service's token without failing it.
fn may_be_carried_by_this_grant(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Verdict {
    let Some(entry) = candidate.granted else { return Verdict::Pass };
    if entry.scope.grants.contains(&facts.subject.grant()) {
        Verdict::Pass
    } else if entry.scope.kind == ScopeKind::Identity {
        Verdict::Excluded
    } else {
        Verdict::Refused
    }
}

/// RFC 8707 §2: a named resource narrows the token to it. Identity scopes belong to no API and are not touched.
fn belongs_to_a_requested_resource(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Verdict {
    let api = candidate.granted.and_then(|entry| entry.api);
    refused_unless(facts.resources.is_empty() || api.is_none_or(|api| facts.resources.contains(&api)))
}

fn feature_is_on_for_the_tenant(candidate: &Candidate<'_>, _: &Facts<'_>) -> Verdict {
    excluded_unless(matches!(candidate.gate, Gate::Open | Gate::OffForUnit))
}

fn feature_is_on_for_the_unit(candidate: &Candidate<'_>, _: &Facts<'_>) -> Verdict {
    excluded_unless(candidate.gate != Gate::OffForUnit)
}

fn user_holds_a_role(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Verdict {
    let Some(entry) = candidate.granted else { return Verdict::Pass };
    match facts.subject {
        Subject::Service => Verdict::Pass,
        Subject::User { roles, .. } => {
            excluded_unless(entry.scope.roles.is_empty() || entry.scope.roles.iter().any(|role| roles.contains(role)))
        }
    }
}

fn user_consented(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Verdict {
    match (facts.subject, candidate.granted) {
        (Subject::User { consented: Some(consented), .. }, Some(entry)) => {
            excluded_unless(is_among(entry, consented, facts.catalogue))
        }
        _ => Verdict::Pass,
    }
}

/// RFC 6749 §6: a renewed token "MUST NOT include any scope not originally granted by the resource owner".
fn is_within_the_original_grant(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Verdict {
    match (facts.original, candidate.granted) {
        (Some(original), Some(entry)) => refused_unless(is_among(entry, original, facts.catalogue)),
        _ => Verdict::Pass,
    }
}

/// Whether a scope is among those that a person agreed to, or lent: by its name or, where no feature gates it, in a bundle.
/// scopes.md §2: "a gated scope is therefore never implied by a bundle". Whoever said yes to a bundle while a gate was closed was
/// not shown what is behind it.
#[must_use]
pub fn is_among(entry: &Entry, list: &[ScopeToken], catalogue: &Catalogue) -> bool {
    let is_in_a_bundle = || entry.bundles.iter().any(|bundle| list.contains(&catalogue.entry(*bundle).scope.name));
    list.contains(&entry.scope.name) || (!entry.is_gated() && is_in_a_bundle())
}

const fn refused_unless(passes: bool) -> Verdict {
    if passes { Verdict::Pass } else { Verdict::Refused }
}

const fn excluded_unless(passes: bool) -> Verdict {
    if passes { Verdict::Pass } else { Verdict::Excluded }
}
