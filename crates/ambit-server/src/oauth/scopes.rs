//! `GET {issuer}/connect/scopes`: what a client may ask for, here and now (scopes.md §6).
//!
//! A client that authenticates otherwise than by the Authorization header sends a form by `POST`, as to every other endpoint.

use ambit_core::client::Facts;
use ambit_core::governance::decision::meets_every_rule;
use ambit_core::governance::gates::Gate;
use ambit_core::grants::client_credentials::rule_facts;
use ambit_protocol::admin::application::{GrantableScope, WhenOmitted};
use ambit_protocol::admin::scope::{GrantKind, ScopeState};
use ambit_protocol::client::CLIENT_PARAMS;
use ambit_protocol::params::{ParamRules, Params};
use ambit_protocol::time::Timestamp;
use axum::Json;
use axum::http::{Method, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::token::facts;
use super::{Call, Refused, malformed};

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Grantable {
    /// The client that asked.
    pub client_id: String,
    /// The scopes, in the catalogue's order.
    pub scopes: Vec<GrantableScope>,
}

/// Lists the scopes that the client could be granted.
pub async fn scopes(call: Call) -> Response {
    match listed(&call).await {
        Ok(answer) => ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response(),
        Err(refused) => Box::pin(refused.answer(&call)).await,
    }
}

async fn listed(call: &Call) -> Result<Grantable, Refused> {
    let (params, client) = if call.method == Method::POST {
        let params = call.form(FORM)?;
        let client = call.confidential_client(&params).await?;
        (params, client)
    } else {
        // RFC 6749 §2.3.1: no credentials in the URI. Tenant and unit may stand there.
        call.refuse_in_query(ParamRules::new(CLIENT_PARAMS))?;
        let query = call.uri.query().unwrap_or_default().as_bytes();
        let params = Params::parse(query, QUERY).map_err(malformed)?;
        let none = Params::parse(b"", ParamRules::new(CLIENT_PARAMS)).map_err(malformed)?;
        (params, call.confidential_client(&none).await?)
    };
    let facts = facts(call, &client, params.get("tenant"), params.get("unit")).await?;
    Ok(Grantable { client_id: client.application.client_id.to_string(), scopes: grantable(&facts, call.now) })
}

/// What an application could be granted for itself or, where the scope needs one, for a user.
#[must_use]
pub fn grantable(facts: &Facts, now: Timestamp) -> Vec<GrantableScope> {
    let rule_facts = rule_facts(facts, &[], now);
    let policy = &facts.ceiling.policy;
    let defaults = match policy.when_omitted {
        WhenOmitted::AllAllowed => &facts.ceiling.allowed,
        WhenOmitted::DefaultScopes => &policy.default_scopes,
        WhenOmitted::None | WhenOmitted::Reject => &vec![],
    };
    facts
        .catalogue
        .entries()
        .iter()
        .enumerate()
        .filter(|(place, entry)| {
            entry.owner.offers_to(facts.ceiling.owner)
                && entry.is_live(now)
                && facts.ceiling.allows(&facts.catalogue, *place, now)
        })
        .map(|(_, entry)| {
            let needs_user = !entry.scope.grants.contains(&GrantKind::Service);
            let gate = entry.scope.feature.as_ref().map(|feature| facts.gates.gate(feature));
            let name = entry.scope.name.as_str();
            GrantableScope {
                scope: entry.scope.name.clone(),
                title: entry.scope.title.en().to_owned(),
                default: defaults.contains(&entry.scope.name) && (needs_user || meets_every_rule(name, &rule_facts)),
                gated: gate.is_some(),
                closed: gate.is_some_and(|gate| gate != Gate::Open),
                needs_user,
                deprecated: entry.scope.state == ScopeState::Deprecated,
                grants: entry.scope.grants.clone(),
            }
        })
        .collect()
}

pub(super) const QUERY: ParamRules = ParamRules::new(&["tenant", "unit"]);
pub(super) const FORM: ParamRules =
    ParamRules::new(&["tenant", "unit", "client_id", "client_secret", "client_assertion", "client_assertion_type"]);
