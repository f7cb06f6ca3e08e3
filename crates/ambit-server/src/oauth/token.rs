//! `POST {issuer}/connect/token` (RFC 6749 §3.2, §4.1.3, §4.4, §5, §6; RFC 8707).
//!
//! 1. The form, the credentials, the door: [`Call`].
//! 2. For which tenant and unit: [`Acting`], checked against the application's level.
//! 3. One `match` over the grant: core decides.
//! 4. Core signs; the journal takes note; the client is told what it got and what it did not.

use std::sync::Arc;

use ambit_core::client::Facts;
use ambit_core::client_auth::AuthenticatedClient;
use ambit_core::entropy::new_uuid;
use ambit_core::grants::client_credentials::{self, Request};
use ambit_core::grants::{Grant, authorization_code, refresh_token};
use ambit_core::keys::Signer;
use ambit_core::opaque_token::OpaqueToken;
use ambit_core::refusal::Refusal;
use ambit_core::tokens::issue::{self, IssuedToken};
use ambit_protocol::admin::tenant::TenantStatus;
use ambit_protocol::token::{TokenRequest, TokenResponse};
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use uuid::Uuid;

use super::lent::{self, Tokens, no_key};
use super::{Call, Refused, cors, misread, unavailable};
use crate::journal::{self, Issued, JournalError};
use crate::middleware::Outcome;
use crate::registry::Acting;

/// Issues a token, or says why not.
pub async fn token(call: Call) -> Response {
    match issue(&call).await {
        Ok(response) => response,
        Err(refused) => {
            let mut response = Box::pin(refused.answer(&call)).await;
            cors::let_all_read(&mut response, &call.headers, &call.app, &call.issuer).await;
            response
        }
    }
}

async fn issue(call: &Call) -> Result<Response, Refused> {
    let params = call.form(TokenRequest::RULES)?;
    let client = call.client(&params).await?;
    let by = |refused: Refused| refused.by(Some(client.application.client_id.to_string()));
    let request = TokenRequest::parse(&params).map_err(|error| by(misread(error).into()))?;
    // Before anything is used up: whoever asks again, once the clock is right, gets what this would have been.
    if let Some(behind) = call.app.settled.behind(call.now) {
        return Err(by(Refusal::Unavailable { reason: format!("the clock has gone back by {behind:?}") }.into()));
    }
    match &request {
        TokenRequest::ClientCredentials { scope, resource, tenant, unit } => {
            let facts = facts(call, &client, tenant.as_deref(), unit.as_deref()).await.map_err(by)?;
            let asked = Request { scope: scope.as_deref(), resources: resource };
            let decide = || client_credentials::grant(&client, &asked, &facts, &call.app.limits, call.now);
            let grant = call
                .app
                .metrics
                .time_decision(decide)
                .map_err(|refusal| by(Refused::new(refusal).of(&issued(&asked, &facts, ""))))?;
            let token = mint(call, &client, &asked, &grant, &facts).await.map_err(by)?;
            Ok(answer(call, &client, &grant, &facts, &token, &Beside::default()))
        }
        TokenRequest::AuthorizationCode { code, redirect_uri, code_verifier, resource } => {
            let request = authorization_code::Request {
                redirect_uri: redirect_uri.as_deref(),
                code_verifier: code_verifier.as_ref(),
                resources: resource,
            };
            let tokens = Box::pin(lent::redeem(call, &client, code.expose_secret(), &request)).await.map_err(by)?;
            Ok(lent_answer(call, &client, &tokens))
        }
        TokenRequest::RefreshToken { refresh_token: token, scope, resource } => {
            let request = refresh_token::Request { scope: scope.as_deref(), resources: resource };
            let tokens = Box::pin(lent::renew(call, &client, token.expose_secret(), &request)).await.map_err(by)?;
            Ok(lent_answer(call, &client, &tokens))
        }
    }
}

/// The facts of a decision for the tenant and the unit that are acted for. A platform or partner application names them,
/// within its level; a tenant's application is its tenant's.
pub(super) async fn facts(
    call: &Call,
    client: &AuthenticatedClient,
    tenant: Option<&str>,
    unit: Option<&str>,
) -> Result<Facts, Refused> {
    let acting = Acting::resolve(&client.application, call.issuer.tenant(), tenant, unit)?;
    match call.app.registry.facts(client.application.client_id.as_str(), &acting).await {
        Ok(facts) => Ok(facts?),
        Err(error) => Err(unavailable(error).into()),
    }
}

async fn mint(
    call: &Call,
    client: &AuthenticatedClient,
    asked: &Request<'_>,
    grant: &Grant,
    facts: &Facts,
) -> Result<IssuedToken, Refused> {
    let minting = Minting::begin(call, grant)?;
    let token =
        minting.check(issue::service_token(grant, facts, &minting.issuer, &minting.signer, minting.jti, call.now))?;
    minting.note(client, issued(asked, facts, &token.scope)).await?;
    Ok(token)
}

/// A token that is about to be signed, and noted.
pub(super) struct Minting<'a> {
    call: &'a Call,
    pub(super) signer: Arc<Signer>,
    pub(super) jti: Uuid,
    pub(super) issuer: String,
}

impl<'a> Minting<'a> {
    pub(super) fn begin(call: &'a Call, grant: &Grant) -> Result<Self, Refusal> {
        let app = &call.app;
        let algorithm = grant.algorithm.unwrap_or(app.default_algorithm);
        let snapshot = app.registry.snapshot();
        let signer = snapshot.keys.signer(algorithm).ok_or_else(|| Refusal::Internal { reason: no_key(algorithm) })?;
        Ok(Self {
            call,
            signer: Arc::clone(signer),
            jti: new_uuid(call.now, &*app.entropy),
            issuer: call.issuer.url(&app.base_url).into_owned(),
        })
    }

    /// What was signed; what the invariant forbids is counted.
    pub(super) fn check(&self, signed: Result<IssuedToken, Refusal>) -> Result<IssuedToken, Refusal> {
        signed.inspect_err(|_| self.call.app.metrics.invariant_violated())
    }

    /// Nobody gets a token that the journal does not know of.
    async fn note(&self, client: &AuthenticatedClient, issued: Issued<'_>) -> Result<(), Refusal> {
        self.call.app.journal.record(&self.noted(client, issued)).await.map_err(unnoted)
    }

    /// What the journal takes note of.
    pub(super) fn noted<'i>(&self, client: &AuthenticatedClient, issued: Issued<'i>) -> journal::IssuedToken<'i> {
        let Call { context, now, .. } = self.call;
        journal::IssuedToken { jti: self.jti, trace_id: context.trace_id, at: *now, issued, secret: client.secret() }
    }
}

pub(super) fn unnoted(error: JournalError) -> Refusal {
    Refusal::Unavailable { reason: error.to_string() }
}

pub(super) fn issued<'a>(asked: &Request<'a>, facts: &'a Facts, granted: &'a str) -> Issued<'a> {
    Issued {
        client_id: facts.client.application.client_id.as_str(),
        application_id: facts.client.application.id,
        requested: asked.scope,
        resources: asked.resources,
        tenant: facts.tenant.as_ref().map(|tenant| tenant.tenant.slug.as_str()),
        unit: facts.unit.as_ref().map(|unit| unit.slug.as_str()),
        granted,
        revision: facts.revision,
        behalf: None,
    }
}

/// What an answer has beside the access token.
#[derive(Default)]
struct Beside<'a> {
    refresh_token: Option<&'a str>,
    id_token: Option<&'a str>,
}

fn lent_answer(call: &Call, client: &AuthenticatedClient, tokens: &Tokens) -> Response {
    let beside = Beside {
        refresh_token: tokens.refresh.as_ref().map(OpaqueToken::expose_secret),
        id_token: tokens.id_token.as_deref(),
    };
    answer(call, client, &tokens.grant, &tokens.facts, &tokens.access, &beside)
}

fn answer(
    call: &Call,
    client: &AuthenticatedClient,
    grant: &Grant,
    facts: &Facts,
    token: &IssuedToken,
    beside: &Beside<'_>,
) -> Response {
    let body = TokenResponse {
        refresh_token: beside.refresh_token,
        id_token: beside.id_token,
        dropped_scopes: &grant.decision.dropped,
        notices: &grant.decision.notices,
        ..TokenResponse::new(&token.access_token, u64::from(token.lifetime_secs), &token.scope)
    };
    let mut response = Response::new(Body::from(body.to_json()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // RFC 6749 §5.1: "The authorization server MUST include the HTTP `Cache-Control` response header field with a value
    // of `no-store`".
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if let Some(tenant) = facts.tenant.as_ref().filter(|tenant| tenant.tenant.status == TenantStatus::GracePeriod) {
        // A slug has no character that a quoted string would have to escape.
        let warning = format!("299 ambit \"tenant '{}' is in its grace period\"", tenant.tenant.slug);
        if let Ok(value) = HeaderValue::try_from(warning) {
            headers.insert(header::WARNING, value);
        }
    }
    cors::let_own_read(&mut response, &call.headers, &client.application);
    call.app.metrics.issued(client.application.client_id.as_str(), &grant.decision);
    response.extensions_mut().insert(Outcome {
        actor: Some(client.application.client_id.to_string()),
        tenant: facts.tenant.as_ref().map(|tenant| tenant.tenant.slug.to_string()),
        unit: facts.unit.as_ref().map(|unit| unit.slug.to_string()),
        outcome: "issued",
        reason: None,
    });
    response
}
