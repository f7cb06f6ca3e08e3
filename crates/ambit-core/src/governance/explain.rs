//! Explain: the engine that decides, asked why (scopes.md §6).
//!
//! Three questions: what would this request get, why does this token carry what it carries, and why this 403. All answers
//! walk the same chain of links and name the first one that is broken, with the smallest change that mends it.

mod fix;

use ambit_protocol::admin::scope::ScopeState;
use ambit_protocol::admin::text::RoleName;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::decision::{DroppedScope, Reason};
use ambit_protocol::error::describe;
use ambit_protocol::explain::{DecisionReport, Explanation, Link, LinkReport};
use ambit_protocol::scope::{self, ScopeToken};
use ambit_protocol::time::Timestamp;

use super::decision::{Decision, Outcome, all_against, decide, decide_again};
use super::gates::Gate;
use super::rules::{self, Subject};
use super::suggest::suggest;
use crate::authorize;
use crate::client::Facts;
use crate::grants::client_credentials::rule_facts;
use crate::store::journal::Behalf;
pub use fix::Addresses;
use fix::Broken;

/// What is known of the request that minted a token.
#[derive(Debug, Clone, Default)]
pub struct Asked<'a> {
    /// The `scope` parameter; none where it was omitted.
    pub scope: Option<&'a str>,
    /// Every `resource`.
    pub resources: &'a [String],
}

/// A token that was turned away, and what is known about it.
#[derive(Debug, Clone)]
pub struct Denial<'a> {
    /// The token's claims. Verified, or read from the journal.
    pub claims: &'a AccessTokenClaims,
    /// The scopes any of which would have done.
    pub required: &'a [String],
    /// The identifier of the API that was called; that of the scope where it is not known.
    pub called: Option<&'a str>,
    /// What the token's request asked for; none where the journal does not reach back so far.
    pub asked: Option<Asked<'a>>,
    /// Whether the token was revoked.
    pub revoked: bool,
    /// The person whose token it is; none where it is the client's own.
    pub lender: Option<Lender>,
}

/// The person who lent what a token carries, with the facts of now.
#[derive(Debug, Clone, Default)]
pub struct Lender {
    /// The roles that they hold.
    pub roles: Vec<RoleName>,
    /// What they agreed to; none where they are not asked.
    pub consented: Option<Vec<ScopeToken>>,
    /// What they lent at the beginning; none where the journal does not reach back so far.
    pub lent: Option<Vec<ScopeToken>>,
}

/// A decision as a report.
#[must_use]
pub fn report(decision: &Decision, requested: Option<&str>, facts: &Facts, at: Timestamp) -> DecisionReport {
    DecisionReport {
        client_id: facts.client.application.client_id.to_string(),
        requested: requested.map(describe),
        granted: decision.carried.clone(),
        refused: decision.refused.clone(),
        dropped: decision.dropped.clone(),
        notices: decision.notices.clone(),
        reasons: decision.against.iter().cloned().collect(),
        revision: facts.revision,
        at,
    }
}

/// Question 1: what would this request get? Nothing is minted.
#[must_use]
pub fn request(
    requested: Option<&str>,
    resources: &[usize],
    behalf: Option<&Behalf>,
    facts: &Facts,
    now: Timestamp,
    addresses: &Addresses<'_>,
) -> Explanation {
    let rule_facts = match behalf {
        None => rule_facts(facts, resources, now),
        Some(behalf) => lent_facts(facts, resources, behalf, now),
    };
    let decision = decide(requested, &rule_facts);
    let verdict = match decision.outcome {
        Outcome::Granted if decision.dropped.is_empty() => {
            format!("the token would carry '{}'", scope::join(&decision.carried))
        }
        Outcome::Granted => format!(
            "the token would carry '{}'; left out: {}",
            scope::join(&decision.carried),
            decision
                .dropped
                .iter()
                .map(|dropped| format!("'{}' ({})", dropped.scope, dropped.reason))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        Outcome::Refused | Outcome::NothingLeft | Outcome::ScopeRequired => {
            format!("invalid_scope: {}", decision.description())
        }
    };
    let broken = decision.refused.first().map(|refused| refused.scope.clone());
    // What stands in a default and is about a person is left out of every service's token: nothing is broken.
    let is_fault = |dropped: &&DroppedScope| requested.is_some() || dropped.reason != Reason::WrongGrant;
    let broken = broken.or_else(|| decision.dropped.iter().find(is_fault).map(|dropped| dropped.scope.clone()));
    let names: Vec<&str> = requested.map_or_else(Vec::new, scope::names);
    let mut because = vec![];
    let mut fix = vec![];
    for name in &names {
        because.extend(links_of_the_decision(name, &rule_facts));
    }
    if let Some(name) = &broken {
        if names.is_empty() {
            because.extend(links_of_the_decision(name, &rule_facts));
        }
        let api = resources.first().map(|place| facts.catalogue.apis()[*place].identifier.as_str());
        let broken = Broken { name, api, rule_facts: &rule_facts, facts, addresses };
        fix = broken.mended(&links_of_the_decision(name, &rule_facts));
    } else if decision.outcome == Outcome::ScopeRequired {
        fix = vec![addresses.token_request(facts, None, "name the scopes that the application needs")];
    }
    Explanation { verdict, because, fix, decision: Some(report(&decision, requested, facts, now)), page: None }
}

/// What the rules looked at when a person's token was decided.
fn lent_facts<'a>(facts: &'a Facts, resources: &'a [usize], behalf: &'a Behalf, at: Timestamp) -> rules::Facts<'a> {
    let consented = behalf.consented.as_deref();
    authorize::rule_facts(facts, resources, &behalf.roles, consented, Some(&behalf.original), at)
}

/// Question 2: why does this token carry what it carries? The decision as it was: `facts` and `at` are those of the
/// token's revision.
#[must_use]
pub fn token(
    asked: &Asked<'_>,
    carried: &str,
    resources: &[usize],
    behalf: Option<&Behalf>,
    facts: &Facts,
    at: Timestamp,
) -> Explanation {
    let rule_facts = match behalf {
        None => rule_facts(facts, resources, at),
        Some(behalf) => lent_facts(facts, resources, behalf, at),
    };
    let decision = match (behalf, asked.scope) {
        // What was lent is decided anew as a whole, unless less of it was asked for by name.
        (Some(behalf), Some(scope)) if scope == scope::join(&behalf.original) => {
            decide_again(&behalf.original, &rule_facts)
        }
        _ => decide(asked.scope, &rule_facts),
    };
    let replayed = scope::join(&decision.carried);
    let mut verdict = match asked.scope {
        Some(scope) => format!("asked for '{}'", describe(scope)),
        None => "no scope was asked for by name, so the application's default was taken".to_owned(),
    };
    verdict.push_str(&format!("; the token carries '{carried}', decided at revision {}", facts.revision));
    for dropped in &decision.dropped {
        verdict.push_str(&format!("; '{}' was left out: {}", dropped.scope, dropped.reason));
    }
    if replayed != carried {
        // The journal says what was issued and the change log what was known: they must agree, and if they do not, say it.
        verdict.push_str(&format!("; replaying the decision gives '{replayed}', which differs: report this"));
    }
    let names: Vec<String> = asked.scope.map_or_else(
        || facts.ceiling.allowed.iter().map(ToString::to_string).collect(),
        |scope| scope::names(scope).into_iter().map(str::to_owned).collect(),
    );
    let because = names.iter().flat_map(|name| links_of_the_decision(name, &rule_facts)).collect();
    Explanation { verdict, because, fix: vec![], decision: Some(report(&decision, asked.scope, facts, at)), page: None }
}

/// Question 3: why this 403? Of the scopes that would have done, the one that is nearest to being held is explained.
#[must_use]
pub fn denial(denial: &Denial<'_>, facts: &Facts, now: Timestamp, addresses: &Addresses<'_>) -> Explanation {
    let resources = match &denial.asked {
        Some(asked) => asked.resources.iter().filter_map(|resource| facts.catalogue.api_place(resource)).collect(),
        None => vec![],
    };
    let rule_facts = match &denial.lender {
        None => rule_facts(facts, &resources, now),
        // A new sign-in is not bound to what was lent at the one before.
        Some(Lender { roles, consented, .. }) => {
            authorize::rule_facts(facts, &resources, roles, consented.as_deref(), None, now)
        }
    };
    let chains: Vec<(&String, Vec<LinkReport>)> =
        denial.required.iter().map(|name| (name, chain(name, denial, facts, &rule_facts))).collect();
    let intact = |chain: &[LinkReport]| chain.iter().take_while(|report| report.ok).count();
    // The first of the nearest: `max_by_key` would take the last.
    let mut nearest: Option<&(&String, Vec<LinkReport>)> = None;
    for candidate in &chains {
        if nearest.is_none_or(|best| intact(&candidate.1) > intact(&best.1)) {
            nearest = Some(candidate);
        }
    }
    let Some((name, chain)) = nearest else {
        return Explanation {
            verdict: "no scope was named that would have been needed".to_owned(),
            because: vec![],
            fix: vec![],
            decision: None,
            page: None,
        };
    };
    let shown = describe(name);
    let (verdict, fix) = match chain.iter().find(|report| !report.ok) {
        None => (
            format!(
                "the token holds '{shown}' and nothing in the chain is broken: the API refuses for a reason of its own"
            ),
            vec![],
        ),
        Some(broken) => (
            format!("the token does not open this: {}", broken.detail),
            Broken { name, api: called(denial), rule_facts: &rule_facts, facts, addresses }.mended(chain),
        ),
    };
    let decision =
        denial.asked.as_ref().map(|asked| report(&decide(asked.scope, &rule_facts), asked.scope, facts, now));
    Explanation { verdict, because: chain.clone(), fix, decision, page: None }
}

/// The API that was called, by identifier; where that is not known, the one that the token is for.
fn called<'a>(denial: &Denial<'a>) -> Option<&'a str> {
    let mut audience = denial.claims.aud.iter();
    denial.called.or_else(|| audience.next().filter(|_| audience.next().is_none()))
}

/// The whole chain for one scope and one token.
fn chain(name: &str, denial: &Denial<'_>, facts: &Facts, rule_facts: &rules::Facts<'_>) -> Vec<LinkReport> {
    let claims = denial.claims;
    let shown = describe(name);
    let carried: Vec<_> = claims.scopes().filter_map(|scope| scope.parse().ok()).collect();
    let holds = facts.catalogue.holds(&carried, name);
    let mut chain = links_of_the_decision(name, rule_facts);
    let mut add = |link, ok, detail: String| chain.push(LinkReport { link, scope: Some(shown.clone()), ok, detail });

    let asked_for = match &denial.asked {
        Some(Asked { scope: None, .. }) => Some(true),
        Some(Asked { scope: Some(scope), .. }) => Some(scope::names(scope).into_iter().any(|asked| {
            asked == name || facts.catalogue.find(asked).is_some_and(|entry| includes(facts, entry, name))
        })),
        None => None,
    };
    let lent = denial.lender.as_ref().and_then(|lender| lender.lent.as_deref());
    let not_lent = lent.filter(|lent| !facts.catalogue.holds(lent, name));
    match (asked_for, holds) {
        (Some(false), false) if let Some(lent) = not_lent => add(
            Link::AskedFor,
            false,
            format!("the person lent '{}' when they signed in, and '{shown}' is not part of it", scope::join(lent)),
        ),
        (Some(false), false) => add(
            Link::AskedFor,
            false,
            format!(
                "the token request asked for '{}' and not for '{shown}'",
                denial.asked.as_ref().and_then(|asked| asked.scope).map_or_else(String::new, describe)
            ),
        ),
        (Some(_), _) | (None, true) => add(
            Link::AskedFor,
            true,
            match denial.asked.as_ref().and_then(|asked| asked.scope) {
                Some(_) => "the token request asked for it".to_owned(),
                None => "the token request named no scope, which stands for the application's default".to_owned(),
            },
        ),
        (None, false) => {
            add(Link::AskedFor, true, "what the token request asked for is not recorded any more".to_owned());
        }
    }

    // What the same request would get now. What it got then shows under `token_fresh`.
    let requested = denial.asked.as_ref().and_then(|asked| asked.scope);
    let now_granted = decide(requested, rule_facts);
    let would_hold = facts.catalogue.holds(&now_granted.carried, name);
    if holds {
        add(Link::Granted, true, "the token carries it".to_owned());
    } else if would_hold {
        add(Link::Granted, true, "the same request would be granted it now".to_owned());
    } else {
        add(
            Link::Granted,
            false,
            match now_granted.outcome {
                Outcome::Granted => format!(
                    "the token carries '{}', which does not hold '{shown}'",
                    claims.scope.as_deref().unwrap_or("")
                ),
                _ => format!("the same request would be refused now: {}", now_granted.description()),
            },
        );
    }

    let api = facts
        .catalogue
        .find(name)
        .and_then(|entry| entry.api)
        .map(|place| facts.catalogue.apis()[place].identifier.as_str());
    match denial.called.or(api) {
        Some(identifier) if holds && !claims.aud.contains(identifier) => add(
            Link::Audience,
            false,
            format!(
                "the token is for {}, and {identifier} was called",
                claims.aud.iter().collect::<Vec<_>>().join(" ")
            ),
        ),
        Some(called) if api.is_some_and(|api| api != called) => add(
            Link::Audience,
            false,
            format!("'{shown}' belongs to {}, and {called} was called", api.unwrap_or_default()),
        ),
        Some(identifier) => add(Link::Audience, true, format!("a token that carries it is for {identifier}")),
        None => add(Link::Audience, true, "the scope belongs to no API".to_owned()),
    }

    let minted = claims.issued_at();
    let changed = facts.client.application.scopes_changed_at;
    if claims.exp <= rule_facts.now.secs() {
        add(Link::TokenFresh, false, format!("the token expired at {}", claims.expires_at()));
    } else if holds || !would_hold {
        add(Link::TokenFresh, true, format!("the token was minted at {minted} and expires at {}", claims.expires_at()));
    } else if changed.secs() >= claims.iat {
        add(
            Link::TokenFresh,
            false,
            format!(
                "the token was minted at {minted}, before the application's allowed scopes changed at {changed}: \
             tokens never change after they are minted"
            ),
        );
    } else {
        add(
            Link::TokenFresh,
            false,
            format!(
                "the token was minted at {minted} under revision {}, before '{shown}' could be granted (now at revision {}): \
             tokens never change after they are minted",
                claims.rev.unwrap_or_default(),
                facts.revision
            ),
        );
    }

    if denial.revoked {
        add(Link::NotRevoked, false, "the token was revoked".to_owned());
    } else {
        add(Link::NotRevoked, true, "the token was not revoked".to_owned());
    }
    chain
}

/// The links that the decision itself is about, with the facts of now.
fn links_of_the_decision(name: &str, facts: &rules::Facts<'_>) -> Vec<LinkReport> {
    let against = all_against(name, facts);
    let shown = describe(name);
    let broken = |reasons: &[Reason]| against.iter().any(|reason| reasons.contains(reason));
    let entry = facts.catalogue.find(name).filter(|entry| entry.owner.offers_to(facts.ceiling.owner));
    let report = |link, ok, detail: String| LinkReport { link, scope: Some(shown.clone()), ok, detail };

    if entry.is_none() {
        let detail = if broken(&[Reason::Malformed]) {
            format!("'{shown}' is no scope's name")
        } else {
            match suggest(name, facts).first() {
                Some(suggestion) => format!("scope '{shown}' is not registered; did you mean '{suggestion}'?"),
                None => format!("scope '{shown}' is not registered"),
            }
        };
        return vec![report(Link::Registered, false, detail)];
    }
    let mut links = vec![report(Link::Registered, true, format!("scope '{shown}' is registered"))];

    let state = entry.map(|entry| entry.scope.state);
    links.push(if broken(&[Reason::NotActive]) {
        let what = match state {
            Some(ScopeState::Draft) => "a draft",
            Some(ScopeState::Deprecated) => "deprecated, and past its sunset",
            _ => "retired",
        };
        report(Link::Active, false, format!("scope '{shown}' is {what}"))
    } else {
        report(Link::Active, true, format!("scope '{shown}' can be granted"))
    });

    links.push(match entry.and_then(|entry| entry.scope.feature.as_ref()) {
        None => report(Link::GateOpen, true, "no feature gates it".to_owned()),
        Some(feature) => match facts.gates.gate(feature) {
            Gate::Open => report(Link::GateOpen, true, format!("feature '{feature}' is on")),
            Gate::NoTenant => report(
                Link::GateOpen,
                false,
                format!("feature '{feature}' gates it, and no tenant was named that it could be on for"),
            ),
            Gate::OffForTenant => {
                report(Link::GateOpen, false, format!("feature '{feature}' gates it and is off for the tenant"))
            }
            Gate::OffForUnit => {
                report(Link::GateOpen, false, format!("feature '{feature}' gates it and is off for the unit"))
            }
        },
    });

    links.push(if broken(&[Reason::NotAllowed]) {
        report(Link::Allowed, false, format!("scope '{shown}' is not among the application's allowed scopes"))
    } else {
        report(Link::Allowed, true, format!("the application may have '{shown}'"))
    });

    links.push(if broken(&[Reason::WrongGrant]) {
        let by = match facts.subject {
            Subject::Service => "by a grant in which a user takes part",
            Subject::User { .. } => "by a token of the application's own, and this one is a person's",
        };
        report(Link::CarriedByGrant, false, format!("scope '{shown}' can be carried only {by}"))
    } else if broken(&[Reason::WrongResource]) {
        report(Link::CarriedByGrant, false, format!("scope '{shown}' belongs to none of the resources that were named"))
    } else if broken(&[Reason::RoleMissing]) {
        let detail = match roles_of(name, facts) {
            [role] => format!("scope '{shown}' asks for role '{role}', which the person does not hold"),
            roles => format!("scope '{shown}' asks for one of the roles {}, and the person holds none", listed(roles)),
        };
        report(Link::CarriedByGrant, false, detail)
    } else if broken(&[Reason::NotConsented]) {
        report(Link::CarriedByGrant, false, format!("the person has not agreed to '{shown}' for this application"))
    } else if broken(&[Reason::BeyondOriginalGrant]) {
        report(Link::CarriedByGrant, false, format!("the person did not lend '{shown}' when they signed in"))
    } else {
        report(Link::CarriedByGrant, true, "this kind of grant may carry it".to_owned())
    });
    links
}

/// The roles of which somebody needs one, to be granted what a name stands for.
fn roles_of<'a>(name: &'a str, facts: &rules::Facts<'a>) -> &'a [RoleName] {
    rules::Candidate::named(name, facts).granted.map_or(&[], |entry| &entry.scope.roles)
}

fn listed(roles: &[RoleName]) -> String {
    roles.iter().map(|role| format!("'{role}'")).collect::<Vec<_>>().join(", ")
}

fn includes(facts: &Facts, bundle: &super::catalogue::Entry, name: &str) -> bool {
    bundle.members.iter().any(|member| facts.catalogue.entry(*member).scope.name.as_str() == name)
}
