//! Explain, for whoever may ask: a client about itself, an administrator about what it administers (scopes.md §6).

use ambit_core::authorize::asked_for_consent;
use ambit_core::client::Facts;
use ambit_core::governance::explain::{self, Addresses, Asked, Denial, Lender};
use ambit_core::governance::history;
use ambit_core::reach::{Owner, Reach};
use ambit_core::refusal::Refusal;
use ambit_core::store::journal::Issuance;
use ambit_core::store::{By, StoreError, noun};
use ambit_core::tokens::introspect::user_of;
use ambit_protocol::admin::application::Application;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::explain::{Explanation, Question};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, Validation, Verified};

use crate::registry::Acting;
use crate::routes;
use crate::state::App;
use crate::web::consent::consented_to;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Asker {
    /// A client, about itself alone.
    Client(String),
    /// An administrator, about all applications within reach.
    Administrator(Reach),
}

/// Why there is no explanation.
#[derive(Debug)]
pub enum Unexplained {
    /// The question names something that is not there, or not for the asker.
    NotFound(String),
    /// The question cannot be understood: which member, and the rule.
    Invalid {
        /// JSON pointer into the question.
        pointer: &'static str,
        /// The rule.
        message: String,
    },
    /// The store does not answer.
    Store(StoreError),
}

impl Unexplained {
    /// What is not for the asker reads as what is not there.
    fn or_absent(self, absent: impl Fn() -> Self) -> Self {
        match self {
            Self::NotFound(_) => absent(),
            other => other,
        }
    }
}

impl From<StoreError> for Unexplained {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Answers a question.
///
/// # Errors
/// [`Unexplained`].
pub async fn explain(app: &App, asker: &Asker, question: &Question) -> Result<Explanation, Unexplained> {
    match question {
        Question::Request { application, tenant, unit, resource, scope } => {
            let application = asked_about(app, asker, application.as_deref()).await?;
            let facts = facts_for(app, &application, tenant.as_deref(), unit.as_deref()).await?;
            let mut resources = vec![];
            for identifier in resource {
                let Some(place) = facts.catalogue.api_place(identifier) else {
                    return Err(invalid("/resource", format!("'{identifier}' is not a registered API")));
                };
                resources.push(place);
            }
            if let Some(scope) = scope {
                app.limits.check_parameter(scope).map_err(|rule| invalid("/scope", rule))?;
            }
            Ok(explain::request(scope.as_deref(), &resources, None, &facts, app.clock.now(), &addresses(app)))
        }
        Question::Token { token, jti, trace_id } => {
            let given = usize::from(token.is_some()) + usize::from(jti.is_some()) + usize::from(trace_id.is_some());
            if given != 1 {
                return Err(invalid("", "name one of token, jti and trace_id".to_owned()));
            }
            if let Some(trace_id) = trace_id {
                return of_trace(app, asker, trace_id).await;
            }
            let jti = match token {
                Some(token) => verified(app, token)?.claims().jti.clone(),
                None => jti.clone().unwrap_or_default(),
            };
            of_jti(app, asker, &jti).await
        }
        Question::Denial { token, scopes, endpoint, resource } => {
            let claims = verified(app, token)?;
            let (required, called) = required(app, scopes, endpoint.as_deref(), resource.as_deref())?;
            denied(app, asker, claims.claims(), &required, called.as_deref()).await
        }
    }
}

/// Why a token that was just verified was turned away: the `why` of the admin API's own 403.
///
/// # Errors
/// [`Unexplained`].
pub async fn denied(
    app: &App,
    asker: &Asker,
    claims: &AccessTokenClaims,
    required: &[String],
    called: Option<&str>,
) -> Result<Explanation, Unexplained> {
    let application = asked_about(app, asker, Some(&claims.client_id)).await?;
    let unit = match &claims.unit_id {
        Some(id) => noun::find::<ambit_protocol::admin::unit::Unit>(&*app.store, By::Id(id), Reach::Platform).await?,
        None => None,
    };
    let tenant = if application.tenant_id.is_none() { claims.tenant_slug.as_deref() } else { None };
    let facts = facts_for(app, &application, tenant, unit.as_ref().map(|unit| unit.slug.as_str())).await?;
    let journal = app.journal.find_token(&claims.jti).await?;
    let asked = journal
        .as_ref()
        .map(|entry| Asked { scope: entry.issuance.requested.as_deref(), resources: &entry.issuance.resources });
    let now = app.clock.now();
    let lender = match user_of(claims, &facts.client, &app.subjects) {
        None => None,
        Some(user) => {
            let person = app.registry.person(user).await?;
            let consented = consented_to(app, user, application.id).await?.effective(&facts.catalogue);
            Some(Lender {
                roles: person.map(|person| person.roles_at(now)).unwrap_or_default(),
                consented: asked_for_consent(&facts, &consented).map(<[ScopeToken]>::to_vec),
                lent: journal.as_ref().and_then(|entry| Some(entry.issuance.behalf.as_ref()?.original.clone())),
            })
        }
    };
    let denial = Denial { claims, required, called, asked, revoked: app.revocations.is_revoked(&claims.jti), lender };
    Ok(explain::denial(&denial, &facts, now, &addresses(app)))
}

async fn of_jti(app: &App, asker: &Asker, jti: &str) -> Result<Explanation, Unexplained> {
    let unknown = || {
        Unexplained::NotFound("no token of this jti is recorded: it is unknown, or older than the journal".to_owned())
    };
    let entry = app.journal.find_token(jti).await?.ok_or_else(unknown)?;
    // Whose it is, is not told to those who may not ask about it.
    asked_about(app, asker, Some(&entry.issuance.client_id)).await.map_err(|it| it.or_absent(unknown))?;
    replay(app, &entry.issuance, entry.at).await
}

async fn of_trace(app: &App, asker: &Asker, trace_id: &str) -> Result<Explanation, Unexplained> {
    let found = app.journal.find_trace(trace_id).await?;
    let unknown = || unknown_trace(found.searched_back_to);
    if let Some(entry) = found.tokens.first() {
        asked_about(app, asker, Some(&entry.issuance.client_id)).await.map_err(|it| it.or_absent(unknown))?;
        return replay(app, &entry.issuance, entry.at).await;
    }
    if let Some(refusal) = found.refusals.first() {
        let detail: serde_json::Value = serde_json::from_str(&refusal.detail).unwrap_or_default();
        let slug = detail.get("page").and_then(serde_json::Value::as_str);
        let page = slug.map(|slug| format!("{}/errors/{slug}", app.base_url));
        let Some(client_id) = &refusal.client_id else {
            // Nobody proved to be a client, so only those who see everything may read it.
            return match asker {
                Asker::Administrator(Reach::Platform) => Ok(Explanation { page, ..recorded(&refusal.reason, &detail) }),
                _ => Err(unknown_trace(found.searched_back_to)),
            };
        };
        asked_about(app, asker, Some(client_id)).await.map_err(|it| it.or_absent(unknown))?;
        let request = detail.get("request").filter(|request| !request.is_null());
        if let Some(issuance) = request.and_then(|request| serde_json::from_value::<Issuance>(request.clone()).ok()) {
            return Ok(Explanation { page, ..replay(app, &issuance, refusal.at).await? });
        }
        return Ok(Explanation { page, ..recorded(&refusal.reason, &detail) });
    }
    Err(unknown_trace(found.searched_back_to))
}

fn unknown_trace(searched_back_to: Option<Timestamp>) -> Unexplained {
    Unexplained::NotFound(match searched_back_to {
        Some(moment) => format!("nothing is recorded under this trace; searched back to {moment}"),
        None => "nothing is recorded under this trace".to_owned(),
    })
}

fn recorded(reason: &str, detail: &serde_json::Value) -> Explanation {
    let description = detail.get("description").and_then(serde_json::Value::as_str);
    Explanation {
        verdict: format!("the request was refused ({reason}): {}", description.unwrap_or_default()),
        because: vec![],
        fix: vec![],
        decision: None,
        page: None,
    }
}

/// The decision as it was, at its revision.
async fn replay(app: &App, issuance: &Issuance, at: Timestamp) -> Result<Explanation, Unexplained> {
    let Some(facts) = history::facts_of(issuance, &*app.store).await? else {
        return Err(Unexplained::NotFound("the application of this token is gone from the change log".to_owned()));
    };
    let resources: Vec<usize> =
        issuance.resources.iter().filter_map(|identifier| facts.catalogue.api_place(identifier)).collect();
    let asked = Asked { scope: issuance.requested.as_deref(), resources: &issuance.resources };
    if issuance.granted.is_empty() && issuance.requested.is_some() {
        let (requested, behalf) = (issuance.requested.as_deref(), issuance.behalf.as_ref());
        return Ok(explain::request(requested, &resources, behalf, &facts, at, &addresses(app)));
    }
    Ok(explain::token(&asked, &issuance.granted, &resources, issuance.behalf.as_ref(), &facts, at))
}

/// The application a question is about, if the asker may ask about it. Another's is as absent as one that does not exist.
async fn asked_about(app: &App, asker: &Asker, named: Option<&str>) -> Result<Application, Unexplained> {
    let absent = |name: &str| Unexplained::NotFound(format!("there is no application '{name}'"));
    let (name, reach) = match (asker, named) {
        (Asker::Client(own), None) => (own.as_str(), Reach::Platform),
        (Asker::Client(own), Some(named)) if own == named => (own.as_str(), Reach::Platform),
        (Asker::Client(_), Some(named)) => return Err(absent(named)),
        (Asker::Administrator(reach), Some(named)) => (named, *reach),
        (Asker::Administrator(_), None) => {
            return Err(invalid("/application", "name the application, by client_id or identifier".to_owned()));
        }
    };
    let found = match noun::find::<Application>(&*app.store, By::NaturalKey(name), reach).await? {
        Some(found) => Some(found),
        None => noun::find::<Application>(&*app.store, By::Id(name), reach).await?,
    };
    found
        .filter(|application| {
            matches!(asker, Asker::Client(_))
                || reach.covers(Owner::from_ids(application.tenant_id, application.partner_id))
        })
        .ok_or_else(|| absent(name))
}

/// The facts for an application that acts for a tenant and a unit.
///
/// # Errors
/// [`Unexplained`].
pub(crate) async fn facts_for(
    app: &App,
    application: &Application,
    tenant: Option<&str>,
    unit: Option<&str>,
) -> Result<Facts, Unexplained> {
    let own = match application.tenant_id {
        Some(id) => app.registry.tenant_by_id(id).await?.map(|tenant| tenant.tenant.slug.to_string()),
        None => None,
    };
    let acting = Acting::resolve(application, own.as_deref(), tenant, unit).map_err(|refusal| misnamed(&refusal))?;
    app.registry.facts(application.client_id.as_str(), &acting).await?.map_err(|refusal| misnamed(&refusal))
}

fn misnamed(refusal: &Refusal) -> Unexplained {
    let pointer = if matches!(refusal, Refusal::UnitUnknown(_)) { "/unit" } else { "/tenant" };
    invalid(pointer, refusal.told().description)
}

/// A token of ours, expired or not: what it says can be explained for as long as its key is known.
fn verified(app: &App, token: &str) -> Result<Verified<AccessTokenClaims>, Unexplained> {
    let snapshot = app.registry.snapshot();
    let ours = |issuer: &str| app.is_own_issuer(issuer);
    let any = |_: &str| true;
    let validation = Validation {
        leeway_secs: TEN_YEARS,
        ..Validation::new(Accepted::Where(&ours), Accepted::Where(&any), app.clock.now())
    };
    verify::access_token(token, &**snapshot.keys.verifying(), &validation)
        .map_err(|error| invalid("/token", error.to_string()))
}

/// Which scopes would have done, and at which API: named, or those of an endpoint of the admin API.
fn required(
    app: &App,
    scopes: &[String],
    endpoint: Option<&str>,
    resource: Option<&str>,
) -> Result<(Vec<String>, Option<String>), Unexplained> {
    match (scopes, endpoint) {
        ([], None) => {
            Err(invalid("", "name the scopes that were required, or the endpoint that was called".to_owned()))
        }
        ([], Some(endpoint)) => {
            let required = routes::required_scopes(endpoint).ok_or_else(|| {
                invalid(
                    "/endpoint",
                    "must be METHOD /path of the admin API, such as GET /api/v1/admin/applications".to_owned(),
                )
            })?;
            Ok((required, Some(app.admin_api_identifier())))
        }
        (scopes, _) => Ok((scopes.to_vec(), resource.map(str::to_owned))),
    }
}

fn addresses(app: &App) -> Addresses<'_> {
    Addresses { base: &app.base_url }
}

fn invalid(pointer: &'static str, message: String) -> Unexplained {
    Unexplained::Invalid { pointer, message }
}

const TEN_YEARS: i64 = 10 * 366 * 24 * 3600;
