//! The gate before every route of the admin API (scopes.md §4): the middleware that guards everybody else's APIs guards ours.
//!
//! 1. The [guard](ambit_resource_server::Guard) lets in who presents a good token of ours that holds a scope that opens the
//!    route and is for this API. What it has to know is in this process: the [verifier](crate::verifier), and how callers stand
//!    (`hooks.rs`). Held is what the token carries *and* would be granted now. The scope is looked at before the audience:
//!    a token that holds none of ours is for other APIs as well, and the scope is what its client has to mend.
//! 2. Behind the scope stands the level of the application, narrowed by its roles and by the tenant the token names; of a person's
//!    token, by the administrators' roles of the person instead.
//! 3. Only then is the body read, and what the handler answers is finished here.

use std::sync::PoisonError;

use super::answer::{Stop, Unfinished};
use super::call::{Admin, Call};
use super::hooks::{Caller, Reasons, Standings};
use crate::body::{self, BodyError};
use crate::middleware::{Outcome, RequestContext};
use crate::routes::Needs;
use crate::state::App;
use ambit_core::page;
use ambit_core::person::Person;
use ambit_core::reach::Owner;
use ambit_core::registry::Power;
use ambit_protocol::admin::administrator::Holder;
use ambit_resource_server::pages::{self, ErrorPage};
use ambit_resource_server::{BuildError, Denied, Identity, ResourceServer};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Extensions;
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::MethodRouter;
use bytes::Bytes;

/// The admin API as a protected API. Its metadata lists what the routes require that were [`guarded`].
///
/// # Errors
/// [`BuildError`], where the address of the server is no address.
pub fn resource_server(app: &App) -> Result<ResourceServer, BuildError> {
    ResourceServer::over(app.verifier.clone(), app.admin_api_identifier())
        .name("Ambit admin API")
        .documentation(format!("{}/api/v1/docs", app.base_url))
        .error_pages(format!("{}/errors", app.base_url))
        .standing(Standings(app.clone()))
        .explain(Reasons(app.clone()))
        .trace_ids(|extensions| extensions.get::<RequestContext>().map(|context| context.trace_id))
        .scopes_before_audience()
        .build()
}

/// A route behind the gate.
///
/// # Panics
/// If the table of routes names something that is no scope.
pub fn guarded(route: MethodRouter<App>, needs: Needs, api: &ResourceServer, app: &App) -> MethodRouter<App> {
    let guard = api.require_any(needs.scopes()).asking_for([needs.asked_for()]).expect("the table names scopes");
    route
        .route_layer(from_fn_with_state(app.clone(), enter))
        .route_layer(guard)
        .route_layer(map_response(async |response| noted(response)))
}

/// What the admin API says about itself (RFC 9728).
pub async fn metadata(Extension(api): Extension<ResourceServer>) -> Response {
    api.metadata_response()
}

/// Steps 2 and 3.
async fn enter(State(app): State<App>, identity: Identity, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let trace_id = RequestContext::of(&parts, &app).trace_id;
    let (path, errors_url) = (parts.uri.path().to_owned(), format!("{}/errors/", app.base_url));
    let finish = |stop: Stop| stop.finish(&errors_url, &path, trace_id);

    let mut outcome = Outcome {
        actor: Some(actor(&identity)),
        tenant: identity.tenant_slug().map(str::to_owned),
        unit: identity.facts::<Caller>().and_then(|caller| Some(caller.facts.unit.as_ref()?.slug.to_string())),
        outcome: "refused",
        reason: None,
    };
    let power = match power(&app, &identity).await {
        Ok(power) => power,
        Err((stop, reason)) => {
            outcome.reason = Some(reason);
            return with_outcome(finish(stop), outcome);
        }
    };
    let body = match read(&app, &parts.extensions, body).await {
        Ok(body) => body,
        Err(stop) => return with_outcome(finish(stop), outcome),
    };
    let admin = Admin::new(Call {
        reach_text: format!("{:?}", power.reach),
        power,
        settings: app.settings(),
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
    if response.status().is_success() {
        outcome.outcome = "answered";
    }
    with_outcome(response, outcome)
}

/// Step 2: how far the caller reaches; or why not, and the word for it in the log.
async fn power(app: &App, identity: &Identity) -> Result<Power, (Stop, &'static str)> {
    let Some(caller) = identity.facts::<Caller>() else {
        return Err((Stop::Internal("a caller whose standing nobody looked up".into()), "internal"));
    };
    let application = &caller.facts.client.application;
    let tenant = caller.facts.tenant.as_ref().map(|tenant| (tenant.tenant.id, tenant.tenant.partner_id));
    if let Some(person) = &caller.person {
        let roles = app.registry.roles_of(person).await.map_err(|error| (error.into(), "store"))?;
        let (id, now) = (person.user.id, app.clock.now());
        return Power::of_person(id, application, &roles, caller.held.to_vec(), tenant, now)
            .ok_or_else(|| (Stop::bad(&page::FORBIDDEN, role_missing(caller, person)), "role"));
    }
    let roles =
        app.registry.roles(Holder::Application(application.id)).await.map_err(|error| (error.into(), "store"))?;
    Power::of_client(application, &roles, caller.held.to_vec(), tenant, app.clock.now()).ok_or_else(|| {
        let detail = format!("the roles of application '{}' have ended, or do not reach here", identity.client_id());
        (Stop::bad(&page::FORBIDDEN, detail), "role")
    })
}

/// Which role the person would need, where the token works.
fn role_missing(caller: &Caller, person: &Person) -> String {
    let here = match (&caller.facts.tenant, person.owner()) {
        (Some(tenant), _) => format!("tenant_admin of tenant '{}'", tenant.tenant.slug),
        (None, Owner::Tenant(..)) => "tenant_admin of their tenant".to_owned(),
        (None, Owner::Partner(_)) => "partner_admin of their partner".to_owned(),
        (None, Owner::Platform) => "super_admin".to_owned(),
    };
    format!(
        "user '{}' has no administrator's role that reaches here: it takes {here}, or auditor to read",
        person.user.id
    )
}

/// Who calls, as the log has it: the person, or else the client.
fn actor(identity: &Identity) -> String {
    match identity.facts::<Caller>().and_then(|caller| caller.person.as_ref()) {
        Some(person) => format!("user:{}", person.user.id),
        None => format!("client:{}", identity.client_id()),
    }
}

/// The body, up to its limit.
async fn read(app: &App, extensions: &Extensions, body: Body) -> Result<Bytes, Stop> {
    body::read(app, extensions, body, app.config.limits.admin_body_bytes.get()).await.map_err(|error| {
        let page = match error {
            BodyError::TooLarge { .. } => &page::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow { .. } => &page::REQUEST_TOO_SLOW,
            // The caller is gone, or broke off: whatever is said, hardly anybody hears it.
            BodyError::BrokenOff => &page::MALFORMED_JSON,
            BodyError::Busy => &page::UNAVAILABLE,
        };
        Stop::bad(page, error.to_string())
    })
}

fn with_outcome(mut response: Response, outcome: Outcome) -> Response {
    response.extensions_mut().insert(outcome);
    response
}

/// The line in the log for what the guard turned away.
fn noted(mut response: Response) -> Response {
    let Some(Denied { page, holder, .. }) = response.extensions_mut().remove::<Denied>() else { return response };
    let (client, tenant) = holder.map(|holder| (holder.client_id, holder.tenant_slug)).unzip();
    let outcome = Outcome {
        actor: client.map(|client_id| format!("client:{client_id}")),
        tenant: tenant.flatten(),
        outcome: "refused",
        reason: Some(reason(page)),
        ..Outcome::default()
    };
    with_outcome(response, outcome)
}

/// In one word.
fn reason(page: ErrorPage) -> &'static str {
    match page {
        pages::MISSING_TOKEN => "token_missing",
        pages::INSUFFICIENT_SCOPE => "insufficient_scope",
        pages::INSUFFICIENT_USER_AUTHENTICATION => "insufficient_user_authentication",
        pages::TENANT_SUSPENDED | pages::TENANT_CHURNED => "tenant_shut",
        pages::PARTNER_SUSPENDED => "partner_suspended",
        pages::UNAVAILABLE => "store",
        _ => "token_invalid",
    }
}

/// Where the admin API says what tokens it takes (RFC 9728 §3).
pub const METADATA: &str = "/.well-known/oauth-protected-resource/api/v1/admin";
