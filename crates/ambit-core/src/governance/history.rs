//! The facts of an earlier revision: what is there now, with every change since taken back.
//!
//! The change log keeps each thing as it was before a change. So a thing at revision R is the `before` of its first change
//! after R, or what it is now where it has not changed since.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::audit::Change;
use ambit_protocol::admin::feature::{TenantFeature, UnitFeature};
use ambit_protocol::admin::partner::PartnerStatus;
use ambit_protocol::admin::scope::Scope;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::unit::Unit;

use super::catalogue::Catalogue;
use super::ceiling::Ceiling;
use super::gates::Gates;
use crate::client::{Client, Facts, TenantFacts};
use crate::reach::Reach;
use crate::store::journal::Issuance;
use crate::store::noun::{self, Noun, unit_key};
use crate::store::{By, Filter, HistorySubject, Store, StoreError};

/// The facts that a token was decided with, or a request refused with: platform-level, since whoever asks was checked before.
/// None where the application did not exist at that revision.
///
/// # Errors
/// Those of the store.
pub async fn facts_of(issuance: &Issuance, store: &dyn Store) -> Result<Option<Facts>, StoreError> {
    let at = issuance.revision;
    let apis: Vec<Api> = all_at(store, at).await?;
    let scopes: Vec<Scope> = all_at(store, at).await?;
    let application_id = issuance.application_id.to_string();
    let Some(application) = one_at::<Application>(store, By::Id(&application_id), at).await? else {
        return Ok(None);
    };
    let tenant = match &issuance.tenant {
        Some(slug) => one_at::<Tenant>(store, By::NaturalKey(slug), at).await?,
        None => None,
    };
    let unit = match (&tenant, &issuance.unit) {
        (Some(tenant), Some(slug)) => one_at::<Unit>(store, By::NaturalKey(&unit_key(tenant.id, slug)), at).await?,
        _ => None,
    };
    let mut gates = Gates::default();
    if let Some(tenant) = &tenant {
        let features: Vec<TenantFeature> = parts_at(store, &tenant.id.to_string(), tenant, at).await?;
        gates.tenant = Some(Arc::new(features.into_iter().filter(|flag| flag.enabled).map(|flag| flag.key).collect()));
        if let Some(unit) = &unit {
            let flags: Vec<UnitFeature> = parts_at(store, &unit.id.to_string(), tenant, at).await?;
            let flags = flags.into_iter().filter(|flag| flag.unit_id == unit.id);
            gates.unit = Some(Arc::new(flags.map(|flag| (flag.key, flag.enabled)).collect()));
        }
    }
    let catalogue = Arc::new(Catalogue::new(apis, scopes));
    let ceiling = Arc::new(Ceiling::new(&application, &catalogue));
    Ok(Some(Facts {
        revision: at,
        catalogue,
        ceiling,
        // Whether a partner was in business decides whether there is a decision, not which: it is not replayed.
        client: Arc::new(Client { application, secrets: vec![], keys: None, partner_status: PartnerStatus::Active }),
        tenant: tenant.map(|tenant| Arc::new(TenantFacts { tenant, partner_status: PartnerStatus::Active })),
        unit: unit.map(Arc::new),
        gates,
    }))
}

async fn all_at<N: Noun>(store: &dyn Store, at: u64) -> Result<Vec<N>, StoreError> {
    let now = noun::list::<N>(store, &Filter::default(), Reach::Platform).await?;
    let changes = store.first_changes_after(at, &HistorySubject::All(N::RESOURCE)).await?;
    taken_back(now, changes)
}

/// The parts of one thing of a tenant.
async fn parts_at<N: Noun>(store: &dyn Store, parent: &str, tenant: &Tenant, at: u64) -> Result<Vec<N>, StoreError> {
    let filter = Filter { parent: Some(parent), ..Filter::default() };
    let now = noun::list::<N>(store, &filter, Reach::Platform).await?;
    let changes = store.first_changes_after(at, &HistorySubject::OfTenant(N::RESOURCE, tenant.id)).await?;
    let parts = taken_back(now, changes)?;
    Ok(parts.into_iter().filter(|part| part.parent().as_deref() == Some(parent)).collect())
}

async fn one_at<N: Noun>(store: &dyn Store, by: By<'_>, at: u64) -> Result<Option<N>, StoreError> {
    let now = noun::find::<N>(store, by, Reach::Platform).await?;
    let id = match (&now, by) {
        (Some(noun), _) => noun.id(),
        (None, By::Id(id)) => id.to_owned(),
        // Known by a name that nothing has now: deleted since, and nothing tells its identifier.
        (None, By::NaturalKey(_)) => return Ok(None),
    };
    let changes = store.first_changes_after(at, &HistorySubject::One(N::RESOURCE, &id)).await?;
    Ok(taken_back(now.into_iter().collect(), changes)?.into_iter().next())
}

fn taken_back<N: Noun>(now: Vec<N>, changes: Vec<Change>) -> Result<Vec<N>, StoreError> {
    let mut things: BTreeMap<String, N> = now.into_iter().map(|noun| (noun.id(), noun)).collect();
    for change in changes {
        match change.before {
            Some(before) => {
                let before = serde_json::from_value(before).map_err(|error| StoreError::Corrupt {
                    resource: N::RESOURCE,
                    id: change.resource_id.clone(),
                    source: error.into(),
                })?;
                things.insert(change.resource_id, before);
            }
            None => {
                things.remove(&change.resource_id);
            }
        }
    }
    Ok(things.into_values().collect())
}
