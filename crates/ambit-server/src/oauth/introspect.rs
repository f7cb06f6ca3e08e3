//! `POST {issuer}/connect/introspect` (RFC 7662): what a token still is, for those whom it concerns.
//!
//! To everybody else, and for everything that is no good token, the answer is `{"active":false}` and nothing more (§2.2).

use ambit_core::client_auth::AuthenticatedClient;
use ambit_core::reach::Owner;
use ambit_core::tokens::introspect::{check_person, check_standing, may_introspect, still_carried, user_of};
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::introspection::{IntrospectionRequest, IntrospectionResponse};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::{Call, Refused, unavailable};
use crate::middleware::Outcome;
use crate::registry::Acting;

/// Tells what a token still is.
pub async fn introspect(call: Call) -> Response {
    match looked_at(&call).await {
        Ok(response) => response,
        Err(refused) => Box::pin(refused.answer(&call)).await,
    }
}

async fn looked_at(call: &Call) -> Result<Response, Refused> {
    let params = call.form(IntrospectionRequest::RULES)?;
    let caller = call.confidential_client(&params).await?;
    let by = |refused: Refused| refused.by(Some(caller.application.client_id.to_string()));
    let request = IntrospectionRequest::parse(&params).map_err(|error| by(super::malformed(error).into()))?;
    let active = active(call, &caller, request.token).await.map_err(by)?;
    let outcome = if active.is_some() { "active" } else { "inactive" };
    let body = active.unwrap_or_else(|| IntrospectionResponse::<&str>::Inactive.to_json().into());
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Outcome {
        actor: Some(caller.application.client_id.to_string()),
        tenant: call.issuer.tenant().map(str::to_owned),
        outcome,
        ..Outcome::default()
    });
    Ok(response)
}

/// What is said of the token, if it is active and concerns the caller.
async fn active(call: &Call, caller: &AuthenticatedClient, token: &str) -> Result<Option<Bytes>, Refused> {
    let app = &call.app;
    // Verified, not expired, not revoked. Keys are in memory: there is nothing to wait for.
    let Some(Ok(token)) = app.verifier.verify_at(token, app.settled.no_earlier(call.now)) else { return Ok(None) };
    let claims = token.claims();
    let Some(facts) = facts_of(call, claims).await? else { return Ok(None) };
    let owner = Owner::from_ids(facts.client.application.tenant_id, facts.client.application.partner_id);
    let good = may_introspect(caller, claims, owner, &facts.catalogue) && check_standing(claims, &facts).is_ok();
    if !good {
        return Ok(None);
    }
    let person = match user_of(claims, &facts.client, &app.subjects) {
        Some(user) => {
            let person = app.registry.person(user).await.map_err(unavailable)?;
            if check_person(person.as_deref()).is_err() {
                return Ok(None);
            }
            person
        }
        None => None,
    };
    let held = still_carried(claims, &facts, person.as_deref(), call.now);
    if held.len() == claims.scopes().count() {
        return Ok(Some(token.introspection()));
    }
    Ok(Some(IntrospectionResponse::active(claims, &held.join(" ")).to_json().into()))
}

/// The facts of now for the client, the tenant and the unit of a token; none where one of them is gone.
async fn facts_of(call: &Call, claims: &AccessTokenClaims) -> Result<Option<ambit_core::client::Facts>, Refused> {
    let acting = Acting::of_token(claims);
    match call.app.registry.facts(&claims.client_id, &acting).await {
        Ok(facts) => Ok(facts.ok()),
        Err(error) => Err(unavailable(error).into()),
    }
}
