//! `GET|POST {issuer}/connect/userinfo` (OpenID Connect Core §5.3): what an application may know of the person who signed in.
//!
//! Everything is looked at again: the person, the application, what the token still holds. What was taken back since the token
//! was minted is not told.

use ambit_core::authorize::Lent;
use ambit_core::tokens::id_token::{Asked, tell};
use ambit_core::tokens::introspect::{check_person, check_standing, still_carried, user_of};
use ambit_protocol::authorization::{Authorization, BearerFault, BearerToken};
use ambit_protocol::claims::{AboutUser, IdTokenClaims};
use ambit_protocol::params::{ParamRules, Params};
use ambit_protocol::scope::ScopeToken;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;
use url::form_urlencoded;

use crate::body::{self, BodyError};
use crate::issuer::Issuer;
use crate::middleware::{Outcome, RequestContext};
use crate::oauth::cors;
use crate::oauth::lent::id_token_signer;
use crate::problem::Answer;
use crate::registry::Acting;
use crate::state::App;
use crate::web;
use ambit_core::page;
use ambit_core::store::StoreError;
use ambit_protocol::admin::application::Application;
use ambit_protocol::claims::AccessTokenClaims;

/// What is told.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Told<'a> {
    /// The person: the `sub` of their ID tokens.
    sub: &'a str,
    #[serde(flatten)]
    #[schemars(skip)]
    about: AboutUser<'a>,
}

/// Why nothing is told.
enum Untold {
    /// No token.
    Missing,
    /// None that is good, or none of a person's.
    Token,
    /// The token does not hold `openid`.
    Scope,
    /// The request cannot be read.
    Unreadable(String),
    /// Its body was not read.
    Unread(BodyError),
    Store(StoreError),
}

/// Tells of the person of a token.
pub async fn userinfo(State(app): State<App>, issuer: Issuer, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let told = match presented(&app, &parts, body).await {
        Ok(Some(token)) => tell_of(&app, &issuer, &parts, &token).await,
        Ok(None) => Err(Untold::Missing),
        Err(untold) => Err(untold),
    };
    match told {
        Ok(response) => response,
        Err(untold) => {
            let mut response = refused(&app, &issuer, &parts, &untold);
            cors::let_all_read(&mut response, &parts.headers, &app, &issuer).await;
            response
        }
    }
}

/// The token of the request: in the `Authorization` header or in a form (RFC 6750 §2.1, §2.2). One in the query is as good as
/// none (§2.3), and still one way too many beside another.
async fn presented(app: &App, parts: &Parts, body: Body) -> Result<Option<String>, Untold> {
    let of_header = of_header(parts)?;
    let of_body = if parts.method == Method::POST && body::is_form(&parts.headers) {
        let most = app.config.limits.body_bytes.get();
        let body = body::read(app, &parts.extensions, body, most).await.map_err(Untold::Unread)?;
        let params = Params::parse(&body, FORM).map_err(|error| Untold::Unreadable(error.to_string()))?;
        params.get("access_token").map(str::to_owned)
    } else {
        None
    };
    let mut query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let is_in_query = query.any(|(name, _)| name == "access_token");
    if usize::from(of_header.is_some()) + usize::from(of_body.is_some()) + usize::from(is_in_query) > 1 {
        // RFC 6750 §3.1: `invalid_request` where the request "uses more than one method for including an access token".
        return Err(Untold::Unreadable(
            "the access token is sent in more than one way; send it in the header".to_owned(),
        ));
    }
    Ok(of_header.or(of_body))
}

fn of_header(parts: &Parts) -> Result<Option<String>, Untold> {
    let values = parts.headers.get_all(header::AUTHORIZATION);
    match Authorization::parse(values.iter().map(HeaderValue::as_bytes)) {
        Ok(Some(Authorization::Bearer(token))) => Ok(Some(BearerToken::expose_token(token).to_owned())),
        Ok(Some(Authorization::Basic(_)) | None) => Ok(None),
        Err(error) => match error.as_bearer() {
            BearerFault::Malformed => Err(Untold::Unreadable(error.to_string())),
            BearerFault::Token => Err(Untold::Token),
            BearerFault::NoAttempt => Ok(None),
        },
    }
}

async fn tell_of(app: &App, issuer: &Issuer, parts: &Parts, token: &str) -> Result<Response, Untold> {
    let Some(Ok(verified)) = app.verifier.verify_now(token) else { return Err(Untold::Token) };
    let claims: &AccessTokenClaims = verified.claims();
    let url = issuer.url(&app.base_url);
    if claims.iss != url {
        return Err(Untold::Token);
    }
    let facts = app.registry.facts(&claims.client_id, &Acting::of_token(claims)).await.map_err(Untold::Store)?;
    let Ok(facts) = facts else { return Err(Untold::Token) };
    let Some(user) = user_of(claims, &facts.client, &app.subjects) else { return Err(Untold::Token) };
    let person = app.registry.person(user).await.map_err(Untold::Store)?;
    let (Ok(()), Ok(person)) = (check_standing(claims, &facts), check_person(person.as_deref())) else {
        return Err(Untold::Token);
    };
    let held: Vec<ScopeToken> = still_carried(claims, &facts, Some(person), app.clock.now())
        .into_iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    if !held.iter().any(|scope| scope.as_str() == "openid") {
        return Err(Untold::Scope);
    }
    let names = asked_by_name(app, claims).await?;
    let about = tell(&person.user, &Asked { scopes: &held, names: &names, within: &held });
    // OpenID Connect Core §5.3.2 has a JWT for clients that are registered for one. Here a request says that it likes it better:
    // client libraries accept both, and mean JSON.
    let mut response = if web::prefers(&parts.headers, JWT, "application/json") {
        signed(app, &url, &claims.sub, &facts.client.application, about).await?
    } else {
        axum::Json(Told { sub: &claims.sub, about }).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cors::let_own_read(&mut response, &parts.headers, &facts.client.application);
    response.extensions_mut().insert(Outcome {
        actor: Some(claims.client_id.clone()),
        tenant: claims.tenant_slug.clone(),
        outcome: "told",
        ..Outcome::default()
    });
    Ok(response)
}

/// The claims that the authorization request asked for by name (OpenID Connect Core §5.5).
async fn asked_by_name(app: &App, claims: &AccessTokenClaims) -> Result<Vec<String>, Untold> {
    let Some(id) = claims.grant_id.as_ref().and_then(|id| id.parse().ok()) else { return Ok(vec![]) };
    let grant = app.store.sign_ins().find_grant(id).await.map_err(Untold::Store)?;
    let lent = grant.and_then(|grant| serde_json::from_str::<Lent>(&grant.document).ok());
    Ok(lent.map(|lent| lent.userinfo_claims).unwrap_or_default())
}

async fn signed(
    app: &App,
    issuer: &str,
    subject: &str,
    application: &Application,
    about: AboutUser<'_>,
) -> Result<Response, Untold> {
    let internal = |text: String| Untold::Store(StoreError::Unavailable(text.into()));
    let signer = id_token_signer(app, application).await.map_err(internal)?;
    let claims = IdTokenClaims {
        iss: issuer,
        sub: subject,
        aud: application.client_id.as_str(),
        iat: app.clock.now().secs(),
        about,
        ..Default::default()
    };
    let claims = serde_json::to_vec(&claims).map_err(|error| internal(error.to_string()))?;
    // Of a kind of its own: no answer is ever taken for an ID token (RFC 8725 §3.11).
    let header = signer.key.header("userinfo+jwt", &signer.kid);
    let token = signer.key.sign(&header, &claims).map_err(|error| internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, JWT)], token).into_response())
}

fn refused(app: &App, issuer: &Issuer, parts: &Parts, untold: &Untold) -> Response {
    let answer = Answer::of(parts, app);
    let (page, detail, error): (_, &str, Option<&str>) = match untold {
        Untold::Missing => (&page::MISSING_TOKEN, "no access token was sent", None),
        Untold::Token => {
            (&page::INVALID_TOKEN, "the access token is not good, or not a person's", Some("invalid_token"))
        }
        Untold::Scope => (
            &page::INSUFFICIENT_SCOPE,
            "the token does not hold 'openid': the application asks for it at the authorization endpoint",
            Some("insufficient_scope"),
        ),
        Untold::Unread(error) => return answer.problem(error.page(), &error.to_string()).into_response(),
        Untold::Unreadable(detail) => (&page::INVALID_AUTHORIZATION, detail.as_str(), Some("invalid_request")),
        Untold::Store(error) => return answer.store_failure(error).into_response(),
    };
    let mut response = answer.problem(page, detail).into_response();
    // RFC 6750 §3: without a token in the request there is no error to name.
    let scope = if matches!(untold, Untold::Scope) { ", scope=\"openid\"" } else { "" };
    let error = error.map(|error| format!(", error=\"{error}\"")).unwrap_or_default();
    let trace_id = RequestContext::of(parts, app).trace_id;
    let challenge = format!(
        "Bearer realm=\"{}\"{error}{scope}, error_uri=\"{}/errors/{}\", trace_id=\"{trace_id}\"",
        issuer.url(&app.base_url),
        app.base_url,
        page.slug
    );
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

pub(super) const FORM: ParamRules = ParamRules::new(&["access_token"]);
const JWT: &str = "application/jwt";
