//! The OAuth endpoints, one file each. Every handler has the same silhouette: take the request apart, ask core, answer.

pub mod authorize;
pub mod catalogue;
pub mod cors;
pub mod describe;
pub mod endsession;
pub mod explain;
pub mod introspect;
pub mod jwks;
pub(crate) mod lent;
pub mod metadata;
mod refused;
pub mod revoke;
pub mod scopes;
mod stolen;
pub mod token;
pub mod userinfo;

use ambit_core::client::Client;
use ambit_core::client_auth::{AuthenticatedClient, AuthenticationError, authenticate, claimed_client_id};
use ambit_core::refusal::{AuthenticationFailure, Refusal};
use ambit_core::store::StoreError;
use ambit_protocol::client::PresentedCredentials;
use ambit_protocol::error::ErrorCode;
use ambit_protocol::params::{ParamRules, Params, ParamsError};
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::TokenRequestError;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::Response;

use crate::body::{self, BodyError};
use crate::issuer::Issuer;
use crate::limits::{Caller, Outcome, TooManyFailures};
use crate::logs::with_causes;
use crate::middleware::RequestContext;
use crate::state::App;
pub use refused::Refused;

/// A request to an OAuth endpoint, before it is understood.
#[derive(Debug)]
pub struct Call {
    app: App,
    issuer: Issuer,
    context: RequestContext,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// What was sent, or why it was not read: the client learns that with everything else that is wrong.
    body: Result<Bytes, Refusal>,
    now: Timestamp,
}

impl Call {
    /// What was sent.
    fn body(&self) -> Result<&Bytes, Refusal> {
        self.body.as_ref().map_err(Clone::clone)
    }

    /// The form in the body (RFC 6749 §3.2: parameters are sent "using the `application/x-www-form-urlencoded` format").
    fn form(&self, rules: ParamRules) -> Result<Params<'_>, Refusal> {
        if !body::is_form(&self.headers) {
            return Err(Refusal::InvalidRequest(
                "the body must be application/x-www-form-urlencoded, and the Content-Type header must say so"
                    .to_owned(),
            ));
        }
        self.refuse_in_query(rules)?;
        Params::parse(self.body()?, rules).map_err(malformed)
    }

    /// RFC 6749 §2.3.1: credentials "MUST NOT be included in the request URI"; nor is anything else read from there.
    fn refuse_in_query(&self, rules: ParamRules) -> Result<(), Refusal> {
        let query = self.uri.query().unwrap_or_default();
        Params::refuse_in_query(query.as_bytes(), rules).map_err(malformed)
    }

    /// Who asks. Failures are counted, and answered no faster than [`FAILURE_TIME`] whatever they were.
    async fn authenticate(&self, params: &Params<'_>) -> Result<AuthenticatedClient, Refused> {
        let authorization = self.headers.get_all(header::AUTHORIZATION);
        let presented = PresentedCredentials::from_request(authorization.iter().map(HeaderValue::as_bytes), params)
            .map_err(|error| match error.code() {
                ErrorCode::InvalidClient => {
                    Refusal::Unauthenticated(AuthenticationFailure::UnsupportedMethod(error.to_string()))
                }
                _ => Refusal::InvalidRequest(error.to_string()),
            })?;
        let client_id = claimed_client_id(&presented).map_err(Refusal::Unauthenticated)?;
        let failures = &self.app.failures;
        let caller = Caller { client_id: Some(&client_id), address: self.context.client_address };
        let steady = || self.app.steady_moment();
        failures.check(caller, steady).map_err(too_many)?;
        let client = self.app.registry.client(&client_id).await.map_err(unavailable)?;
        let issuer = self.issuer.url(&self.app.base_url);
        let app = &self.app;
        // A secret or an assertion that is over stays over, and whether it was used may be forgotten.
        let now = app.settled.no_earlier(self.now);
        match authenticate(&presented, client.clone(), &issuer, now, &*app.store, &app.key_sets).await {
            Ok(client) => failures.settle(caller, Outcome::Right, steady).map(|()| client).map_err(too_many),
            Err(AuthenticationError::Store(error)) => Err(unavailable(error).into()),
            Err(AuthenticationError::Failed(failure)) => {
                failures.settle(caller, Outcome::Wrong, steady).map_err(too_many)?;
                Err(Refused::new(Refusal::Unauthenticated(failure)).by(client.map(|_| client_id.to_string())))
            }
        }
    }

    /// The right credentials at the wrong door: `invalid_client` is for wrong credentials only (identity.md §3).
    async fn check_door(&self, client: &Client) -> Result<(), Refused> {
        let application = &client.application;
        let right = Issuer::of(application, &self.app.registry).await.map_err(unavailable)?;
        let Some(right) = right else {
            let tenant = application.tenant_id.map(|id| id.to_string()).unwrap_or_default();
            return Err(Refusal::TenantNotReached(tenant).into());
        };
        if right == self.issuer {
            return Ok(());
        }
        Err(Refusal::WrongIssuer { issuer: right.url(&self.app.base_url).into_owned() }.into())
    }

    /// The client that asks about itself or about a token, which proved who it is: a public one cannot (RFC 7662 §2.1).
    async fn confidential_client(&self, params: &Params<'_>) -> Result<AuthenticatedClient, Refused> {
        let client = self.client(params).await?;
        if client.is_public() {
            let failure = AuthenticationFailure::Missing;
            let client_id = client.application.client_id.to_string();
            return Err(Refused::new(Refusal::Unauthenticated(failure)).by(Some(client_id)));
        }
        Ok(client)
    }

    /// The client, authenticated as far as one of its kind can be, and at its own door.
    async fn client(&self, params: &Params<'_>) -> Result<AuthenticatedClient, Refused> {
        let client = self.authenticate(params).await?;
        self.check_door(&client).await.map_err(|refused| refused.by(Some(client.application.client_id.to_string())))?;
        Ok(client)
    }
}

/// Takes a request apart as far as all endpoints do. It is taken whole: nothing of it is copied.
impl FromRequest<App> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let issuer = Issuer::from_request_parts(&mut parts, app).await?;
        let context = RequestContext::of(&parts, app);
        let most = app.config.limits.body_bytes.get();
        let body = body::read(app, &parts.extensions, body, most).await.map_err(|error| match error {
            BodyError::TooLarge { .. } => Refusal::BodyTooLarge(error.to_string()),
            BodyError::TooSlow { .. } => Refusal::BodyTooSlow(error.to_string()),
            BodyError::BrokenOff => Refusal::InvalidRequest(error.to_string()),
            BodyError::Busy => Refusal::Unavailable { reason: error.to_string() },
        });
        let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
        Ok(Self { app: app.clone(), issuer, context, method, uri, headers, body, now: app.clock.now() })
    }
}

fn too_many(wait: TooManyFailures) -> Refused {
    Refusal::TooManyFailures { retry_after_secs: wait.retry_after_secs }.into()
}

fn malformed(error: ParamsError) -> Refusal {
    Refusal::InvalidRequest(error.to_string())
}

fn unavailable(error: StoreError) -> Refusal {
    let reason = with_causes(&error);
    match error {
        StoreError::Unavailable(_) => Refusal::Unavailable { reason },
        _ => Refusal::Internal { reason },
    }
}

fn misread(error: TokenRequestError) -> Refusal {
    match error.code() {
        ErrorCode::UnsupportedGrantType => Refusal::UnsupportedGrantType(error.to_string()),
        ErrorCode::InvalidTarget => Refusal::InvalidTarget(error.to_string()),
        _ => Refusal::InvalidRequest(error.to_string()),
    }
}
