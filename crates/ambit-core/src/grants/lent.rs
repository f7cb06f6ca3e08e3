//! What a person lent, decided anew: the same for a code and for a refresh token.

use ambit_protocol::admin::text::RoleName;
use ambit_protocol::admin::user::UserStatus;
use ambit_protocol::resource::ResourceIndicator;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;

use super::{Grant, check_tenant_is_open, named_resources};
use crate::authorize::{self, Lent, OFFLINE_ACCESS};
use crate::client::Facts;
use crate::governance::decision::{Outcome, decide, decide_again, meets_every_rule};
use crate::governance::rules;
use crate::limits::Limits;
use crate::person::Person;
use crate::refusal::{GrantFault, Refusal};

/// What was lent, and who lends, with the facts of now.
#[derive(Debug, Clone, Copy)]
pub struct Lending<'a> {
    /// What was lent.
    pub lent: &'a Lent,
    /// The facts of now.
    pub facts: &'a Facts,
    /// Who lends.
    pub person: &'a Person,
    /// The roles they hold now.
    pub roles: &'a [RoleName],
    /// What they consent to now; none where the application is trusted.
    pub consented: Option<&'a [ScopeToken]>,
    /// The limits on scopes.
    pub limits: &'a Limits,
}

impl<'a> Lending<'a> {
    /// What the rules look at.
    #[must_use]
    pub fn rule_facts(&self, resources: &'a [usize], now: Timestamp) -> rules::Facts<'a> {
        authorize::rule_facts(self.facts, resources, self.roles, self.consented, Some(&self.lent.granted), now)
    }
}

/// Decides anew about what was lent, or about less of it.
pub(super) fn renew(
    lending: &Lending<'_>,
    scope: Option<&str>,
    resources: &[ResourceIndicator],
    now: Timestamp,
) -> Result<Grant, Refusal> {
    let Lending { lent, facts, person, .. } = lending;
    if person.user.status != UserStatus::Active {
        return Err(Refusal::Grant(GrantFault::UserGone));
    }
    check_tenant_is_open(facts)?;
    if let Some(scope) = scope {
        lending.limits.check_parameter(scope).map_err(Refusal::ScopeLimit)?;
    }
    // RFC 8707 §2.2: a resource "that is not within the scope of the original grant" is an invalid target.
    if let Some(other) = resources.iter().find(|named| !lent.resources.is_empty() && !lent.resources.contains(named)) {
        return Err(Refusal::InvalidTarget(format!("resource '{other}' is none of those that were granted")));
    }
    let named = if resources.is_empty() { &lent.resources } else { resources };
    let places = named_resources(named, facts)?;
    let rule_facts = lending.rule_facts(&places, now);
    // Without it nothing is left that would outlive the session, whether this request names it or not.
    if lent.is_offline() && !meets_every_rule(OFFLINE_ACCESS, &rule_facts) {
        return Err(Refusal::Grant(GrantFault::Withdrawn));
    }
    let decision = match scope {
        Some(scope) => decide(Some(scope), &rule_facts),
        None => decide_again(&lent.granted, &rule_facts),
    };
    match decision.outcome {
        Outcome::Granted => {
            let asked = scope.map_or_else(|| ambit_protocol::scope::join(&lent.granted), str::to_owned);
            Grant::settle(decision, Some(&asked), places, facts)
        }
        Outcome::NothingLeft if scope.is_none() => Err(Refusal::Grant(GrantFault::Withdrawn)),
        Outcome::Refused | Outcome::NothingLeft | Outcome::ScopeRequired => Err(Refusal::Scope(Box::new(decision))),
    }
}
