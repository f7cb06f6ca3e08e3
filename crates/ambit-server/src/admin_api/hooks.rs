//! What this server tells the middleware about callers of its admin API: how they stand, and why a scope is missing.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use ambit_core::client::{Client, Facts};
use ambit_core::person::Person;
use ambit_core::registry::builtin::{ADMIN_READ, ADMIN_WRITE};
use ambit_core::store::StoreError;
use ambit_core::tokens::introspect::{Inactive, check_standing, still_carried, user_of};
use ambit_protocol::admin::application::Level;
use ambit_protocol::admin::tenant::TenantStatus;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::explain::Explanation;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use ambit_resource_server::{
    BoxFuture, Explain, Good, NotGood, Shortfall, Standing, StandingCheck, VerifiedToken, Withdrawn,
};

use crate::explain::{Asker, denied};
use crate::registry::Acting;
use crate::state::App;

/// A caller whom the middleware let in, as things stand now.
#[derive(Debug)]
pub(super) struct Caller {
    /// The client, the tenant and the unit behind the token.
    pub(super) facts: Facts,
    /// The person whose token it is; none where it is the client's own.
    pub(super) person: Option<Arc<Person>>,
    /// What the token carries and would be granted now.
    pub(super) held: Arc<[ScopeToken]>,
}

/// How those behind a token stand: looked up in the registry's memory.
#[derive(Debug)]
pub(super) struct Standings(pub(super) App);

impl Standing for Standings {
    fn check<'a>(&'a self, token: &'a VerifiedToken, now: Timestamp) -> StandingCheck<'a> {
        // A client that is not in memory is loaded.
        StandingCheck::Later(Box::pin(self.look_up(token, now)))
    }
}

impl Standings {
    async fn look_up(&self, token: &VerifiedToken, now: Timestamp) -> Result<Good, NotGood> {
        let claims = token.claims();
        let facts = self
            .0
            .registry
            .facts(&claims.client_id, &Acting::of_token(claims))
            .await
            .map_err(|error| unknown(&error))?;
        let facts = facts.map_err(|_| gone())?;
        match check_standing(claims, &facts) {
            Ok(()) => {}
            Err(Inactive::TenantShut) => return Err(shut(&facts)),
            Err(Inactive::TenantGone | Inactive::UserGone) => return Err(gone()),
            Err(Inactive::Revoked | Inactive::LostInRestore | Inactive::ClientGone | Inactive::ClientDisabled) => {
                return Err(NotGood::Token(Withdrawn::Client));
            }
        }
        let person = self.person(claims, &facts.client).await?;
        // A change never widens a token, and one that narrows shows here at once.
        let held = still_carried(claims, &facts, person.as_deref(), now);
        let held: Arc<[ScopeToken]> = held.into_iter().filter_map(|name| name.parse().ok()).collect();
        let good = Good::default().counting_only(Arc::clone(&held));
        let good = match &facts.tenant {
            Some(tenant) if tenant.tenant.status == TenantStatus::GracePeriod => {
                good.with_warning(format!("tenant '{}' is in its grace period", tenant.tenant.slug))
            }
            _ => good,
        };
        Ok(good.with_facts(Caller { facts, person, held }))
    }

    /// Whose token it is, if they are there and may still sign in.
    async fn person(&self, claims: &AccessTokenClaims, client: &Client) -> Result<Option<Arc<Person>>, NotGood> {
        if claims.sub == claims.client_id {
            return Ok(None);
        }
        let found = match user_of(claims, client, &self.0.subjects) {
            Some(id) => self.0.registry.person(id).await.map_err(|error| unknown(&error))?,
            None => None,
        };
        match found.filter(|person| person.is_active()) {
            Some(person) => Ok(Some(person)),
            None => Err(NotGood::Token(Withdrawn::Other("the user of the token is gone or disabled".into()))),
        }
    }
}

/// identity.md §4: suspended → 402, churned → 403.
fn shut(facts: &Facts) -> NotGood {
    let Some(tenant) = &facts.tenant else { return partner_suspended() };
    let (slug, status) = (&tenant.tenant.slug, tenant.tenant.status);
    let text = format!("tenant '{slug}' is {status}").into();
    match status {
        TenantStatus::Suspended => NotGood::TenantSuspended(text),
        TenantStatus::Churned => NotGood::TenantChurned(text),
        TenantStatus::Trial | TenantStatus::Active | TenantStatus::GracePeriod => partner_suspended(),
    }
}

fn partner_suspended() -> NotGood {
    NotGood::PartnerSuspended("the partner is suspended".into())
}

fn gone() -> NotGood {
    NotGood::Token(Withdrawn::Other("the client, tenant, unit or person of the token is gone".into()))
}

fn unknown(error: &StoreError) -> NotGood {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    NotGood::Unavailable(format!("{error}{cause}"))
}

/// Why a scope is missing: the texts of scopes.md §4, and the `why` of §6.
#[derive(Debug)]
pub(super) struct Reasons(pub(super) App);

impl Explain for Reasons {
    fn detail(&self, shortfall: &Shortfall) -> Option<Cow<'static, str>> {
        let caller = shortfall.identity.facts::<Caller>()?;
        let level = match caller.facts.client.application.level {
            Level::Platform => "Platform",
            Level::Partner => "Partner",
            Level::Tenant => "Tenant",
        };
        let holds_one = shortfall.identity.scopes().any(|scope| matches!(scope, ADMIN_READ | ADMIN_WRITE));
        Some(if holds_one {
            format!("{level} token requires {ADMIN_WRITE} scope").into()
        } else {
            format!("{level} token requires {ADMIN_READ} or {ADMIN_WRITE} scope").into()
        })
    }

    fn explain<'a>(&'a self, shortfall: &'a Shortfall) -> BoxFuture<'a, Option<Explanation>> {
        Box::pin(async move {
            let Self(app) = self;
            let claims = shortfall.identity.claims();
            let required: Vec<String> = shortfall.requirement.scopes().iter().map(ToString::to_string).collect();
            let asker = Asker::Client(claims.client_id.clone());
            denied(app, &asker, claims, &required, Some(&app.admin_api_identifier()))
                .await
                // A refusal without its reasons is still the right refusal.
                .inspect_err(|unexplained| {
                    tracing::warn!(?unexplained, "a refusal of the admin API could not be explained");
                })
                .ok()
        })
    }
}
