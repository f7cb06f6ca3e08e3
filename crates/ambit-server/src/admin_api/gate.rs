//! The gate before every route of the admin API (scopes.md §4): who calls, how far they reach, and whether the token opens this
//! route. Only behind it is a body read.
//!
//! 1. The token is verified: ours, and neither expired nor revoked.
//! 2. It must hold a scope that opens the route, and be for this API. A token that holds none is for other APIs as well, and
//!    what its client has to mend is the scope: so the scope is looked at first, and the answer is the 403 of scopes.md §4. Held is what it carries *and* would be granted now: a change never widens a
//!    token, and one that narrows shows here at once.
//! 3. Behind the scope stands the level of the application, narrowed by its roles and by the tenant the token names.

use std::sync::{Arc, PoisonError};

use ambit_core::client::Facts;
use ambit_core::page;
use ambit_core::reach::Reach;
use ambit_core::refusal::shut_page;
use ambit_core::registry::builtin::{ADMIN_READ, ADMIN_WRITE};
use ambit_core::registry::{Power, Settings};
use ambit_core::store::{Filter, noun};
use ambit_core::tokens::introspect::{Inactive, check_standing, is_lost_in_restore, still_carried};
use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::application::Level;
use ambit_protocol::admin::tenant::TenantStatus;
use ambit_protocol::authorization::Authorization;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::error::describe;
use ambit_protocol::scope::ScopeToken;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, WARNING, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;

use super::answer::{Stop, Unfinished};
use super::call::{Admin, Call};
use crate::explain::{Asker, denied};
use crate::middleware::{Outcome, RequestContext};
use crate::registry::Acting;
use crate::routes::Needs;
use crate::state::App;

/// Lets a request in, or says why not; and finishes what the handler answers.
pub async fn gate(app: App, needs: Needs, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let context = parts.extensions.get::<RequestContext>();
    let trace_id = context.map_or_else(|| crate::trace::generate(app.clock.now(), &*app.entropy), |it| it.trace_id);
    let (path, errors_url) = (parts.uri.path().to_owned(), format!("{}/errors/", app.base_url));
    let finish = |stop: Stop| stop.finish(&errors_url, &path, trace_id);

    let entered = match enter(&app, needs, &parts.headers).await {
        Ok(entered) => entered,
        Err(TurnedAway { stop, challenge, outcome }) => {
            let mut response = finish(stop);
            if let Some(challenge) = challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            response.extensions_mut().insert(outcome);
            return response;
        }
    };
    let body = match read(body).await {
        Ok(body) => body,
        Err(stop) => return entered.mark(finish(stop)),
    };
    let admin = Admin::new(Call {
        reach_text: format!("{:?}", entered.power.reach),
        power: entered.power.clone(),
        settings: Settings { limits: app.limits, base_url: app.base_url.clone() },
        method: parts.method.clone(),
        path: path.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body,
        trace_id,
        app: app.clone(),
    });
    let mut request = Request::from_parts(parts, Body::empty());
    request.extensions_mut().insert(admin);
    let mut response = next.run(request).await;
    if let Some(Unfinished(stop)) = response.extensions_mut().remove::<Unfinished>() {
        // Taken once: this is the only place that finishes it. A lock that was poisoned holds its value still.
        let stop = stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        response = finish(stop.unwrap_or_else(|| Stop::Internal("an answer was finished twice".into())));
    }
    entered.mark(response)
}

/// A caller who may come in.
#[derive(Debug)]
struct Entered {
    power: Power,
    tenant: Option<String>,
    unit: Option<String>,
    warning: Option<HeaderValue>,
}

impl Entered {
    fn mark(&self, mut response: Response) -> Response {
        if let Some(warning) = &self.warning {
            response.headers_mut().insert(WARNING, warning.clone());
        }
        let outcome = if response.status().is_success() { "answered" } else { "refused" };
        response.extensions_mut().insert(Outcome {
            actor: Some(self.power.actor.clone()),
            tenant: self.tenant.clone(),
            unit: self.unit.clone(),
            outcome,
            reason: None,
        });
        response
    }
}

/// Somebody who may not.
#[derive(Debug)]
struct TurnedAway {
    stop: Stop,
    /// RFC 6750 §3.
    challenge: Option<String>,
    outcome: Outcome,
}

impl TurnedAway {
    fn new(stop: Stop, reason: &'static str) -> Self {
        let outcome = Outcome { outcome: "refused", reason: Some(reason), ..Outcome::default() };
        Self { stop, challenge: None, outcome }
    }

    fn by(mut self, claims: &AccessTokenClaims) -> Self {
        self.outcome.actor = Some(format!("client:{}", claims.client_id));
        self.outcome.tenant.clone_from(&claims.tenant_slug);
        self
    }
}

async fn enter(app: &App, needs: Needs, headers: &HeaderMap) -> Result<Entered, TurnedAway> {
    let claims = verified(app, needs, headers)?;
    let facts = standing(app, &claims).await.map_err(|turned_away| turned_away.by(&claims))?;
    let now = app.clock.now();
    let held = still_carried(&claims, &facts, now);
    if !needs.is_met_by(&held, &facts) {
        return Err(lacking(app, needs, &claims, &held, &facts).await.by(&claims));
    }
    if !claims.aud.contains(&app.admin_api_identifier()) {
        return Err(bad_token(app, "the token is for another audience (its 'aud' claim)".to_owned()).by(&claims));
    }
    let power = power(app, &claims, held, &facts).await.map_err(|turned_away| turned_away.by(&claims))?;
    let warning = facts.tenant.as_ref().and_then(|tenant| {
        let is_in_grace = tenant.tenant.status == TenantStatus::GracePeriod;
        // RFC 9111 §5.5, 299: a slug is made of letters, digits and hyphens.
        let text = format!("299 - \"tenant '{}' is in its grace period\"", tenant.tenant.slug);
        is_in_grace.then(|| HeaderValue::try_from(text).ok()).flatten()
    });
    let unit = facts.unit.as_ref().map(|unit| unit.slug.to_string());
    Ok(Entered { power, tenant: claims.tenant_slug.clone(), unit, warning })
}

/// Step 1: a token of ours.
fn verified(app: &App, needs: Needs, headers: &HeaderMap) -> Result<Arc<AccessTokenClaims>, TurnedAway> {
    let authorization = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let token = match Authorization::parse(authorization) {
        Ok(Some(Authorization::Bearer(token))) => token,
        Ok(Some(Authorization::Basic(_)) | None) => {
            // RFC 6750 §3.1: a request without any authentication information gets no error code.
            let mut missing = TurnedAway::new(
                Stop::bad(&page::MISSING_TOKEN, "send an access token: Authorization: Bearer TOKEN"),
                "token_missing",
            );
            missing.challenge = Some(format!("Bearer scope=\"{}\"", needs.asked_for()));
            return Err(missing);
        }
        Err(error) => return Err(bad_token(app, error.to_string())),
    };
    let claims = app
        .verified_tokens
        .try_verify(app, token.expose_token(), app.clock.now())
        .map_err(|error| bad_token(app, error.to_string()))?;
    let epoch = app.registry.snapshot().epoch;
    if app.revocations.is_revoked(&claims.jti) {
        return Err(bad_token(app, "the token was revoked; get a new one".to_owned()).by(&claims));
    }
    if is_lost_in_restore(&claims, epoch) {
        let text = "the token was issued in a span of time that a restored backup does not cover; get a new one";
        return Err(bad_token(app, text.to_owned()).by(&claims));
    }
    Ok(claims)
}

fn bad_token(app: &App, detail: String) -> TurnedAway {
    let challenge = format!(
        "Bearer error=\"invalid_token\", error_description=\"{}\", error_uri=\"{}/errors/{}\"",
        describe(&detail),
        app.base_url,
        page::INVALID_TOKEN.slug
    );
    let mut turned_away = TurnedAway::new(Stop::bad(&page::INVALID_TOKEN, detail), "token_invalid");
    turned_away.challenge = Some(challenge);
    turned_away
}

/// Those behind the token, as they stand now.
async fn standing(app: &App, claims: &AccessTokenClaims) -> Result<Facts, TurnedAway> {
    let gone = || bad_token(app, "the client, tenant or unit of the token is gone".to_owned());
    let facts = app
        .registry
        .facts(&claims.client_id, &Acting::of_token(claims))
        .await
        .map_err(|error| TurnedAway::new(error.into(), "store"))?
        .map_err(|_| gone())?;
    match check_standing(claims, &facts) {
        Ok(()) => {}
        Err(Inactive::TenantShut) => return Err(shut(&facts)),
        Err(Inactive::Revoked | Inactive::LostInRestore | Inactive::ClientGone | Inactive::ClientDisabled) => {
            return Err(bad_token(app, "the client of the token is disabled or gone".to_owned()));
        }
    }
    // A slug can name another tenant later; the identifier in the token cannot.
    let tenant = facts.tenant.as_ref().map(|tenant| tenant.tenant.id.to_string());
    if claims.tenant_id.is_some() && claims.tenant_id != tenant {
        return Err(gone());
    }
    Ok(facts)
}

/// identity.md §4: suspended → 402, churned → 403.
fn shut(facts: &Facts) -> TurnedAway {
    match &facts.tenant {
        Some(tenant) if matches!(tenant.tenant.status, TenantStatus::Suspended | TenantStatus::Churned) => {
            let (slug, status) = (&tenant.tenant.slug, tenant.tenant.status);
            TurnedAway::new(Stop::bad(shut_page(status), format!("tenant '{slug}' is {status}")), "tenant_shut")
        }
        _ => TurnedAway::new(Stop::bad(&page::PARTNER_SUSPENDED, "the partner is suspended"), "partner_suspended"),
    }
}

/// The 403 of scopes.md §4, with its exact texts.
async fn lacking(
    app: &App,
    needs: Needs,
    claims: &AccessTokenClaims,
    held: &[ScopeToken],
    facts: &Facts,
) -> TurnedAway {
    let level = match facts.client.application.level {
        Level::Platform => "Platform",
        Level::Partner => "Partner",
        Level::Tenant => "Tenant",
    };
    let holds_one = held.iter().any(|scope| matches!(scope.as_str(), ADMIN_READ | ADMIN_WRITE));
    let detail = if holds_one {
        format!("{level} token requires {ADMIN_WRITE} scope")
    } else {
        format!("{level} token requires {ADMIN_READ} or {ADMIN_WRITE} scope")
    };
    let required: Vec<String> = needs.scopes().map(str::to_owned).collect();
    let asker = Asker::Client(claims.client_id.clone());
    let why = match denied(app, &asker, claims, &required, Some(&app.admin_api_identifier())).await {
        Ok(explanation) => serde_json::to_value(explanation).ok(),
        // A refusal without its reasons is still the right refusal.
        Err(unexplained) => {
            tracing::warn!(?unexplained, "a refusal of the admin API could not be explained");
            None
        }
    };
    let mut members = vec![
        ("required", Value::from(required)),
        ("presented", Value::from(claims.scopes().collect::<Vec<_>>().join(" "))),
    ];
    members.extend(why.map(|why| ("why", why)));
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", scope=\"{}\", error_description=\"{detail}\", error_uri=\"{}/errors/{}\"",
        needs.asked_for(),
        app.base_url,
        page::INSUFFICIENT_SCOPE.slug
    );
    let mut turned_away =
        TurnedAway::new(Stop::bad_with(&page::INSUFFICIENT_SCOPE, detail, members), "insufficient_scope");
    turned_away.challenge = Some(challenge);
    turned_away
}

/// Step 3: how far the caller reaches.
async fn power(
    app: &App,
    claims: &AccessTokenClaims,
    held: Vec<ScopeToken>,
    facts: &Facts,
) -> Result<Power, TurnedAway> {
    let application = &facts.client.application;
    let id = application.id.to_string();
    let filter = Filter { parent: Some(&id), ..Filter::default() };
    let assignments: Vec<Administrator> = noun::list(&*app.store, &filter, Reach::Platform)
        .await
        .map_err(|error| TurnedAway::new(error.into(), "store"))?;
    let tenant = facts.tenant.as_ref().map(|tenant| (tenant.tenant.id, tenant.tenant.partner_id));
    let now = app.clock.now();
    Power::of_client(application, &assignments, held, tenant, now).ok_or_else(|| {
        let detail = format!("the roles of application '{}' have ended, or do not reach here", claims.client_id);
        TurnedAway::new(Stop::bad(&page::FORBIDDEN, detail), "role")
    })
}

/// The body, up to its limit.
async fn read(body: Body) -> Result<Bytes, Stop> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Stop::bad(&page::PAYLOAD_TOO_LARGE, format!("a body of the admin API has at most {MAX_BODY} bytes")))
        }
        // The caller is gone, or broke off: whatever is said, hardly anybody hears it.
        Err(_) => Err(Stop::bad(&page::MALFORMED_JSON, "the body ended before it was whole")),
    }
}

/// The longest body, in bytes: 2,000 scopes of 128 characters, twice, with room to spare.
pub const MAX_BODY: usize = 1024 * 1024;
