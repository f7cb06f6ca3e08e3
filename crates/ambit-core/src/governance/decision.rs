//! The decision: which of the scopes asked for a token carries, and why not the others.

use ambit_protocol::admin::application::{OnRefused, WhenOmitted};
use ambit_protocol::admin::scope::ScopeState;
use ambit_protocol::decision::{DroppedScope, Notice, NoticeCode, Reason, RefusedScope};
use ambit_protocol::error::describe;
use ambit_protocol::scope::ScopeToken;
use hashbrown::HashSet;

use super::catalogue::Places;
use super::gates::Gate;
use super::rules::{Candidate, Facts, RULES, Verdict, first_against};
use super::suggest::suggest;

/// What was decided for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether a token may be issued.
    pub outcome: Outcome,
    /// What the token carries, in the catalogue's order. Empty where the request fails.
    pub carried: Vec<ScopeToken>,
    /// The places of the APIs whose scopes are carried, in order.
    pub apis: Vec<usize>,
    /// What fails the request, or would under `reject`.
    pub refused: Vec<RefusedScope>,
    /// What is left out of the token.
    pub dropped: Vec<DroppedScope>,
    /// What the client should know all the same.
    pub notices: Vec<Notice>,
    /// For each scope that something speaks against, all that does, in the order of the rules.
    pub against: Vec<(String, Vec<Reason>)>,
}

/// Whether a token may be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It may.
    Granted,
    /// Something asked for was refused.
    Refused,
    /// Nothing was left to grant.
    NothingLeft,
    /// The application must name its scopes and did not.
    ScopeRequired,
}

/// Decides one request. Pure: all facts and the moment are handed in. The only place where a scope is granted.
///
/// 1. Take the names that were sent or, where none were, what the application's policy puts in their place.
/// 2. Ask every rule about every name.
/// 3. Add to each granted bundle those of its gated members whose gate is open: they are never implied.
/// 4. Let the policy say what a refusal does.
#[must_use]
pub fn decide(requested: Option<&str>, facts: &Facts<'_>) -> Decision {
    let policy = &facts.ceiling.policy;
    let mut deciding = Deciding::new(facts, requested.is_some());
    match (requested, policy.when_omitted) {
        (Some(requested), _) => deciding.ask_for_all(requested.split(' ')),
        (None, WhenOmitted::AllAllowed) => deciding.ask_for_all(facts.ceiling.allowed.iter().map(ScopeToken::as_str)),
        (None, WhenOmitted::DefaultScopes) => {
            deciding.ask_for_all(policy.default_scopes.iter().map(ScopeToken::as_str));
        }
        (None, WhenOmitted::None) => return deciding.finish(Outcome::Granted),
        (None, WhenOmitted::Reject) => return deciding.finish(Outcome::ScopeRequired),
    }
    deciding.add_gated_members();

    let outcome = if deciding.enforces && !deciding.decision.refused.is_empty() {
        Outcome::Refused
    } else if deciding.granted.is_empty() {
        Outcome::NothingLeft
    } else {
        Outcome::Granted
    };
    deciding.finish(outcome)
}

/// Decides anew about what was granted before (RFC 6749 §6), with the facts of now: what cannot be granted any more is left out,
/// with its reason, and fails nothing. Nothing is added: a gated member whose gate opened since was not lent.
#[must_use]
pub fn decide_again(granted: &[ScopeToken], facts: &Facts<'_>) -> Decision {
    let mut deciding = Deciding::new(facts, false);
    deciding.ask_for_all(granted.iter().map(ScopeToken::as_str));
    let outcome = if deciding.granted.is_empty() { Outcome::NothingLeft } else { Outcome::Granted };
    deciding.finish(outcome)
}

/// Whether nothing speaks against one scope, asked for by itself.
#[must_use]
pub fn meets_every_rule(name: &str, facts: &Facts<'_>) -> bool {
    first_against(&Candidate::named(name, facts), facts).is_none()
}

/// Whether a scope comes with a bundle that is carried: a gated member is added to it as it is, deprecated or not, while its gate
/// is open and nothing else speaks against it.
#[must_use]
pub fn comes_with_a_bundle(name: &str, carries: impl Fn(&str) -> bool, facts: &Facts<'_>) -> bool {
    let Some(place) = facts.catalogue.place(name) else { return false };
    let entry = facts.catalogue.entry(place);
    let is_carried = |bundle: &usize| carries(facts.catalogue.entry(*bundle).scope.name.as_str());
    entry.is_gated()
        && entry.bundles.iter().any(is_carried)
        && first_against(&Candidate::registered(place, facts), facts).is_none()
}

/// All that speaks against one scope, asked for by itself, in the order of the rules.
#[must_use]
pub fn all_against(name: &str, facts: &Facts<'_>) -> Vec<Reason> {
    against(&Candidate::named(name, facts), facts)
}

impl Decision {
    /// Whether a token may be issued.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.outcome == Outcome::Granted
    }

    /// What a client whose request fails is told: every offender, in the exact texts of scopes.md §3, inside the character
    /// set of RFC 6749 §5.2.
    #[must_use]
    pub fn description(&self) -> String {
        let texts: Vec<String> = match self.outcome {
            Outcome::ScopeRequired => return "this application must name the scopes it asks for".to_owned(),
            Outcome::Granted => return String::new(),
            Outcome::Refused => self.refused.iter().map(refusal_text).collect(),
            Outcome::NothingLeft => {
                let left_out = self.dropped.iter().filter(|dropped| !self.is_refused(&dropped.scope));
                let texts: Vec<String> =
                    self.refused.iter().map(refusal_text).chain(left_out.map(exclusion_text)).collect();
                if texts.is_empty() {
                    return "no scope is allowed for this application".to_owned();
                }
                texts
            }
        };
        describe(&texts.join("; "))
    }

    /// What the answer lists beside the description: what was refused and, where nothing was left, what was left out.
    #[must_use]
    pub fn offenders(&self) -> Vec<RefusedScope> {
        let left_out =
            self.dropped.iter().filter(|dropped| !self.is_refused(&dropped.scope)).map(|dropped| RefusedScope {
                scope: dropped.scope.clone(),
                reason: dropped.reason,
                did_you_mean: vec![],
                hint: Some(dropped.hint.clone()),
            });
        let mut offenders = self.refused.clone();
        if self.outcome == Outcome::NothingLeft {
            offenders.extend(left_out);
        }
        offenders
    }

    fn is_refused(&self, name: &str) -> bool {
        self.refused.iter().any(|refused| refused.scope == name)
    }
}

/// A decision in the making.
struct Deciding<'a> {
    facts: &'a Facts<'a>,
    decision: Decision,
    granted: Places,
    /// Whether names were sent: only those can fail a request.
    by_name: bool,
    /// Whether a refusal fails this request.
    enforces: bool,
}

impl<'a> Deciding<'a> {
    fn new(facts: &'a Facts<'a>, by_name: bool) -> Self {
        let policy = &facts.ceiling.policy;
        Self {
            facts,
            decision: Decision {
                outcome: Outcome::Granted,
                carried: vec![],
                apis: vec![],
                refused: vec![],
                dropped: vec![],
                notices: vec![],
                against: vec![],
            },
            granted: Places::none(facts.catalogue),
            by_name,
            enforces: by_name && policy.on_refused == OnRefused::Reject && !policy.report_only,
        }
    }

    /// Asks for each name once, however often it was sent.
    fn ask_for_all<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        // A name that is registered is known by its place, which is looked up anyway. Only strangers are compared as text.
        let mut seen = Places::none(self.facts.catalogue);
        let mut strangers = HashSet::new();
        for name in names {
            let place = self.facts.catalogue.place(name);
            let is_new = match place {
                Some(place) => seen.insert(place),
                None => strangers.insert(name),
            };
            if is_new {
                self.ask_for(name, place);
            }
        }
    }

    fn ask_for(&mut self, name: &str, place: Option<usize>) {
        let candidate = Candidate::of(name, place, self.facts);
        let Some((reason, verdict)) = first_against(&candidate, self.facts) else {
            self.grant(&candidate);
            return;
        };
        self.decision.against.push((describe(name), against(&candidate, self.facts)));
        if verdict == Verdict::Excluded || !self.by_name {
            self.drop(name, reason, hint(&candidate, reason));
            return;
        }
        self.refuse(&candidate, reason);
    }

    fn grant(&mut self, candidate: &Candidate<'_>) {
        let (Some(place), Some(asked)) = (candidate.place, candidate.asked) else { return };
        self.granted.insert(place);
        if asked.scope.state == ScopeState::Deprecated {
            let successor =
                candidate.granted.map(|entry| entry.scope.name.clone()).filter(|name| *name != asked.scope.name);
            let text = match &successor {
                Some(successor) => {
                    format!("scope '{}' is deprecated: '{successor}' was granted in its place", asked.scope.name)
                }
                None => format!("scope '{}' is deprecated", asked.scope.name),
            };
            self.decision.notices.push(Notice {
                scope: asked.scope.name.clone(),
                code: NoticeCode::Deprecated,
                text,
                successor,
                sunset: asked.scope.sunset,
            });
        }
    }

    fn refuse(&mut self, candidate: &Candidate<'_>, reason: Reason) {
        let mut hint = hint(candidate, reason);
        // A client may send hundreds of names that nobody knows; to look for the like of each would be a way to keep us busy.
        let did_you_mean = if reason == Reason::Unknown && self.decision.refused.len() < SUGGESTIONS_FOR {
            suggest(candidate.name, self.facts)
        } else {
            vec![]
        };
        if !self.enforces {
            let members = self.grant_members(candidate, reason);
            if !members.is_empty() {
                hint = format!("{hint}; of its members, granted: {}", members.join(" "));
            }
            if self.facts.ceiling.policy.report_only
                && let Some(asked) = candidate.asked
            {
                self.decision.notices.push(Notice {
                    scope: asked.scope.name.clone(),
                    code: NoticeCode::ReportOnly,
                    text: format!("scope '{}' would be refused: {reason}", asked.scope.name),
                    successor: None,
                    sunset: None,
                });
            }
            self.drop(candidate.name, reason, hint.clone());
        }
        self.decision.refused.push(RefusedScope {
            scope: describe(candidate.name),
            reason,
            did_you_mean,
            hint: Some(hint),
        });
    }

    /// Under `narrow`, a coarse scope that is not allowed as a whole gives those of its members that are.
    fn grant_members(&mut self, candidate: &Candidate<'_>, reason: Reason) -> Vec<&'a str> {
        let Some(bundle) = candidate.granted.filter(|_| reason == Reason::NotAllowed) else { return vec![] };
        let facts = self.facts;
        let mut names = vec![];
        for member in bundle.members.clone() {
            let name = facts.catalogue.entry(member).scope.name.as_str();
            let candidate = Candidate::named(name, facts);
            if first_against(&candidate, facts).is_none() {
                self.grant(&candidate);
                names.push(name);
            }
        }
        names
    }

    /// scopes.md §2: a token carries "for each granted coarse scope those of its *gated* members whose gate is open".
    fn add_gated_members(&mut self) {
        let facts = self.facts;
        // What is added is granular, and has no members of its own.
        let granted = self.granted.clone();
        for bundle in granted.iter().map(|place| facts.catalogue.entry(place)) {
            for member in &bundle.gated_members {
                if self.granted.contains(*member) {
                    continue;
                }
                let entry = facts.catalogue.entry(*member);
                let name = entry.scope.name.as_str();
                let candidate = Candidate::registered(*member, facts);
                match first_against(&candidate, facts) {
                    None => {
                        self.granted.insert(*member);
                    }
                    Some((
                        reason @ (Reason::FeatureOffForTenant | Reason::FeatureOffForUnit | Reason::NotConsented),
                        _,
                    )) => {
                        if !self.decision.dropped.iter().any(|dropped| dropped.scope == name) {
                            self.decision.against.push((name.to_owned(), vec![reason]));
                            self.drop(name, reason, hint(&candidate, reason));
                        }
                    }
                    // Not one of the application's, not for this grant: it was not asked for, and it is not this bundle's.
                    Some(_) => {}
                }
            }
        }
    }

    fn drop(&mut self, name: &str, reason: Reason, hint: String) {
        self.decision.dropped.push(DroppedScope { scope: describe(name), reason, hint });
    }

    fn finish(mut self, outcome: Outcome) -> Decision {
        self.decision.outcome = outcome;
        if outcome == Outcome::Granted {
            let catalogue = self.facts.catalogue;
            self.decision.carried.reserve(self.granted.len());
            for entry in self.granted.iter().map(|place| catalogue.entry(place)) {
                self.decision.carried.push(entry.scope.name.clone());
                // The catalogue is ordered by API, so an API's scopes follow each other.
                if let Some(api) = entry.api.filter(|api| self.decision.apis.last() != Some(api)) {
                    self.decision.apis.push(api);
                }
            }
        }
        self.decision
    }
}

/// What to do about a refusal.
fn hint(candidate: &Candidate<'_>, reason: Reason) -> String {
    let name = describe(candidate.name);
    let feature = candidate.granted.and_then(|entry| entry.scope.feature.as_ref());
    match reason {
        Reason::Malformed | Reason::Unknown if candidate.name.contains([',', ';', '|']) => {
            "separate scopes by single spaces (RFC 6749 section 3.3)".to_owned()
        }
        Reason::Malformed if candidate.name.contains(['"', '\'']) => "send scopes without quotes".to_owned(),
        Reason::Unknown if candidate.name.contains('\'') => "send scopes without quotes".to_owned(),
        Reason::Malformed if candidate.name.is_empty() => {
            "separate scopes by single spaces, with none at the ends (RFC 6749 section 3.3)".to_owned()
        }
        Reason::Malformed => {
            "a scope is at most 128 printable ASCII characters without space, quote and backslash".to_owned()
        }
        Reason::Unknown => "check the spelling, or have the scope registered in the catalogue".to_owned(),
        Reason::NotActive => match candidate.asked.map(|entry| entry.scope.state) {
            Some(ScopeState::Draft) => "the scope is a draft: it can be granted once it is active".to_owned(),
            _ => "the scope is granted no longer".to_owned(),
        },
        Reason::NotAllowed => format!("have '{name}' added to the allowed scopes of this application"),
        Reason::WrongGrant => "only a grant in which a user takes part can carry this scope".to_owned(),
        Reason::WrongResource => "ask for the scope's own API as resource, or name no resource".to_owned(),
        Reason::FeatureOffForTenant => match feature {
            Some(feature) if candidate.gate == Gate::NoTenant => {
                format!("the scope depends on feature '{feature}': name a tenant with the tenant parameter")
            }
            Some(feature) => {
                format!("feature '{feature}' is off for this tenant; a platform administrator can turn it on")
            }
            None => String::new(),
        },
        Reason::FeatureOffForUnit => feature.map_or_else(String::new, |feature| {
            format!("feature '{feature}' is off for this unit; a tenant administrator can turn it on")
        }),
        Reason::RoleMissing => "the user holds none of the roles that this scope asks for".to_owned(),
        Reason::NotConsented => "the user did not consent to this scope".to_owned(),
        Reason::BeyondOriginalGrant => "the original grant did not carry this scope; ask for a new one".to_owned(),
    }
}

fn against(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Vec<Reason> {
    RULES.iter().filter(|(_, rule)| rule(candidate, facts) != Verdict::Pass).map(|(reason, _)| *reason).collect()
}

/// The text of one refused scope (scopes.md §3; those of `unknown` and `not_allowed` are exact).
fn refusal_text(refused: &RefusedScope) -> String {
    let name = &refused.scope;
    match refused.reason {
        Reason::Unknown => match refused.did_you_mean.first() {
            Some(suggestion) => format!("scope '{name}' not registered; did you mean '{suggestion}'?"),
            None => format!("scope '{name}' not registered"),
        },
        Reason::NotAllowed => format!("scope '{name}' not allowed for this application"),
        Reason::Malformed => format!("scope '{name}' malformed"),
        Reason::NotActive => format!("scope '{name}' not active"),
        Reason::WrongGrant => format!("scope '{name}' not available to this grant"),
        Reason::WrongResource => format!("scope '{name}' not part of the requested resource"),
        Reason::BeyondOriginalGrant => format!("scope '{name}' beyond the original grant"),
        reason @ (Reason::FeatureOffForTenant
        | Reason::FeatureOffForUnit
        | Reason::RoleMissing
        | Reason::NotConsented) => format!("scope '{name}' excluded: {reason}"),
    }
}

fn exclusion_text(dropped: &DroppedScope) -> String {
    format!("scope '{}' excluded: {}", dropped.scope, dropped.hint)
}

const SUGGESTIONS_FOR: usize = 5;
