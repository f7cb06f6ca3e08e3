//! `POST {issuer}/connect/revoke` (RFC 7009): a client takes one of its own tokens back.
//!
//! The answer is 200 whatever the token was (§2.2), except that a revocation that could not be made durable is never
//! acknowledged.

use ambit_core::client_auth::AuthenticatedClient;
use ambit_core::store::Revocation;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::revocation::RevocationRequest;
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, TokenError, Validation, Verified};
use ambit_resource_server::VerifyError;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::{Call, Refused, cors, lent, unavailable};
use crate::middleware::Outcome;

/// Revokes a token.
pub async fn revoke(call: Call) -> Response {
    match revoked(&call).await {
        Ok(response) => response,
        Err(refused) => {
            let mut response = Box::pin(refused.answer(&call)).await;
            cors::let_all_read(&mut response, &call.headers, &call.app, &call.issuer).await;
            response
        }
    }
}

async fn revoked(call: &Call) -> Result<Response, Refused> {
    let params = call.form(RevocationRequest::RULES)?;
    let client = call.client(&params).await?;
    let client_id = client.application.client_id.as_str();
    let by = |refused: Refused| refused.by(Some(client_id.to_owned()));
    let request = RevocationRequest::parse(&params).map_err(|error| by(super::malformed(error).into()))?;
    let app = &call.app;
    let outcome = match claims_of(call, request.token) {
        None => revoke_refresh_token(call, &client, request.token).await.map_err(by)?,
        // RFC 7009 §2.1: the server verifies "whether the token was issued to the client making the revocation request".
        Some(claims) if claims.client_id != client_id => {
            tracing::warn!(
                trace_id = %call.context.trace_id, actor = client_id, owner = claims.client_id, jti = claims.jti,
                "a client tried to revoke another client's token"
            );
            "not_its_own"
        }
        Some(claims) => {
            let revocation = Revocation {
                jti: claims.jti,
                client_id: client_id.to_owned(),
                revoked_at: call.now,
                expires_at: Timestamp::from_secs(claims.exp).plus_secs(CLOCKS_DIFFER_SECS),
            };
            // RFC 7009 §2.2.1: 503 where it cannot be done now; never 200 for what may come back after a crash.
            app.store.revoke(&revocation).await.map_err(|error| by(unavailable(error).into()))?;
            app.revocations.insert(&revocation);
            app.metrics.revoked();
            "revoked"
        }
    };
    let mut response = (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response();
    cors::let_own_read(&mut response, &call.headers, &client.application);
    response.extensions_mut().insert(Outcome {
        actor: Some(client_id.to_owned()),
        tenant: call.issuer.tenant().map(str::to_owned),
        outcome,
        ..Outcome::default()
    });
    Ok(response)
}

/// A refresh token takes the whole grant with it (RFC 7009 §2.1: "SHOULD also invalidate all access tokens based on the same
/// authorization grant").
async fn revoke_refresh_token(call: &Call, client: &AuthenticatedClient, token: &str) -> Result<&'static str, Refused> {
    let app = &call.app;
    // RFC 7009 §2.2: "invalid tokens do not cause an error response", there is nothing to take back.
    let Some((_, grant)) = lent::presented(app, token).await? else { return Ok("nothing_to_revoke") };
    if grant.application_id != client.application.id {
        tracing::warn!(
            trace_id = %call.context.trace_id, actor = %client.application.client_id, owner = grant.client_id,
            "a client tried to revoke another client's refresh token"
        );
        return Ok("not_its_own");
    }
    lent::end(app, grant.id, call.now).await?;
    app.metrics.revoked();
    Ok("revoked")
}

/// What a token of ours says that is good, or may be again: where the clock is ahead of the settled moment, it may be set right.
fn claims_of(call: &Call, token: &str) -> Option<AccessTokenClaims> {
    let app = &call.app;
    match app.verifier.verify_now(token)? {
        Ok(token) => Some(token.claims().clone()),
        Err(VerifyError::Token(TokenError::Expired { .. })) => {
            let ours = |issuer: &str| app.is_own_issuer(issuer);
            let any = |_: &str| true;
            let now = app.settled.moment(&*app.clock).min(call.now);
            let validation = Validation::new(Accepted::Where(&ours), Accepted::Where(&any), now);
            let snapshot = app.registry.snapshot();
            verify::access_token(token, &**snapshot.keys.verifying(), &validation).ok().map(Verified::into_claims)
        }
        Err(_) => None,
    }
}

/// A revocation is remembered a little longer than the token lives by our clock.
const CLOCKS_DIFFER_SECS: i64 = 120;
