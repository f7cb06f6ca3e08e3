//! The client credentials grant (RFC 6749 §4.4): a client asks on its own behalf.

use ambit_protocol::resource::ResourceIndicator;
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::GrantType;

use super::{Grant, check_tenant_is_open, named_resources};
use crate::client::Facts;
use crate::client_auth::AuthenticatedClient;
use crate::governance::decision::{Outcome, decide};
use crate::governance::rules::{self, Subject};
use crate::limits::Limits;
use crate::refusal::Refusal;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The `scope` parameter; none where it was omitted.
    pub scope: Option<&'a str>,
    /// Every `resource`.
    pub resources: &'a [ResourceIndicator],
}

/// Grants, or says why not.
///
/// # Errors
/// The [`Refusal`].
pub fn grant(
    client: &AuthenticatedClient,
    request: &Request<'_>,
    facts: &Facts,
    limits: &Limits,
    now: Timestamp,
) -> Result<Grant, Refusal> {
    // RFC 6749 §4.4: "The client credentials grant type MUST only be used by confidential clients."
    let application = &client.application;
    if !application.kind.is_confidential() || !application.grant_types.contains(&GrantType::ClientCredentials) {
        return Err(Refusal::GrantNotAllowed { grant_type: GrantType::ClientCredentials.as_str() });
    }
    check_tenant_is_open(facts)?;
    evaluate(request, facts, limits, now)
}

/// The same without the client's proof: what the request would get. Nothing is minted from it without the proof.
///
/// # Errors
/// The [`Refusal`].
pub fn evaluate(request: &Request<'_>, facts: &Facts, limits: &Limits, now: Timestamp) -> Result<Grant, Refusal> {
    if let Some(scope) = request.scope {
        limits.check_parameter(scope).map_err(Refusal::ScopeLimit)?;
    }
    let resources = named_resources(request.resources, facts)?;
    let decision = decide(request.scope, &rule_facts(facts, &resources, now));
    match decision.outcome {
        Outcome::Granted => Grant::settle(decision, request.scope, resources, facts),
        Outcome::Refused | Outcome::NothingLeft | Outcome::ScopeRequired => Err(Refusal::Scope(Box::new(decision))),
    }
}

/// What the rules look at in this grant: the client stands for itself, and there is no earlier grant.
#[must_use]
pub fn rule_facts<'a>(facts: &'a Facts, resources: &'a [usize], now: Timestamp) -> rules::Facts<'a> {
    rules::Facts {
        catalogue: &facts.catalogue,
        ceiling: &facts.ceiling,
        gates: &facts.gates,
        subject: Subject::Service,
        resources,
        original: None,
        now,
    }
}
